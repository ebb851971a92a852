"""Runs queries on a real local Spark, in an environment of its own: reads jobs as JSON from standard input, answers in JSON.

A job: `views` (names, and the Parquet files behind each), `collation` (of the views' texts, or null), `key` (the group key, or
null), `query`, `save` (a folder, or null).
The answer: each query's rows as text, or its error, and the plans that Spark would show of it.
"""

import json
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import collate


def main() -> None:
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        # Each query runs once over few rows: the second compiler would take longer than its code could save.
        .config("spark.driver.extraJavaOptions", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", sys.argv[1])
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    answers = []
    for job in json.load(sys.stdin):
        spark.conf.set("spark.sql.session.timeZone", job.get("zone", "UTC"))
        for name, paths in job.get("views", {}).items():
            frame = spark.read.parquet(*paths)
            for column in (c for c, dtype in frame.dtypes if dtype == "string" and job.get("collation")):
                frame = frame.withColumn(column, collate(column, job["collation"]))
            frame.createOrReplaceTempView(name)
        if job.get("key"):
            spark.createDataFrame([(job["key"],)], "k string").createOrReplaceTempView("mauwatch_group_key")
        try:
            rows = spark.sql(job["query"])
            if job.get("save"):
                rows.coalesce(1).write.mode("overwrite").parquet(job["save"])
            plans = spark._jvm.PythonSQLUtils.explainString(rows._jdf.queryExecution(), "extended")
            answers.append({"rows": [] if job.get("save") else [list(map(str, row)) for row in rows.collect()], "plans": plans})
        except Exception as error:  # noqa: BLE001 (whatever Spark says is the answer)
            answers.append({"error": str(error)})
    print(json.dumps(answers))
    spark.stop()


if __name__ == "__main__":
    main()
