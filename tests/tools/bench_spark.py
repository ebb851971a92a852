"""Spark's part of `make bench`, in an environment of its own: `python bench_spark.py FILE...` prints JSON.

Of a table of ready keys, different keys by day, audience and namespace, and the sum of these numbers.
"""

import json
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import expr


def main() -> None:
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "6g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    found = {}
    for path in sys.argv[1:]:
        seconds = []
        for _ in range(3):
            started = time.perf_counter()
            rows = spark.read.parquet(path).where("audience <> 'canary'").groupBy("activity_date", "audience", "namespace")
            cells = rows.agg(expr("hll_sketch_estimate(hll_sketch_agg(person_key, 21)) AS people"))
            answer = cells.agg({"people": "sum"}).collect()[0][0]
            seconds.append(time.perf_counter() - started)
        found[path] = {"seconds": sorted(seconds)[1], "answer": answer}
    print(json.dumps(found))
    spark.stop()


if __name__ == "__main__":
    main()
