#!/usr/bin/env bash
# A partitioned asset check that passes in a run over several days leaves each of these days "planned" for ever.
#
# Version: dagster 1.13.27.
# Input: a daily asset with BackfillPolicy.single_run(), and a check with the same partitions_def that passes. One run of one
#   day, one run of a range of three days; both succeed.
# Expected: the check has succeeded for all four days.
# Behaviour: for the range, Dagster plans the check for each day, and stores one evaluation without a partition. The three
#   days stay PLANNED after the run has ended, and AssetCheckResult has no field that would say which day it is about.
# Output seen:
#   dagster 1.13.27
#   run of one day: success
#   run of three days: success
#   2025-01-01  SUCCEEDED
#   2025-01-02  PLANNED
#   2025-01-03  PLANNED
#   2025-01-04  PLANNED
#   no partition  SUCCEEDED
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check dagster==1.13.27 dagster-shared==1.13.27
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'EOF'
import logging
import sys
from importlib.metadata import version

import dagster as dg

days = dg.DailyPartitionsDefinition(start_date="2025-01-01", end_date="2025-01-11")


@dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
def users() -> None: ...


@dg.asset_check(asset=users, partitions_def=days)
def plausible() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
job = dg.Definitions(assets=[users], asset_checks=[plausible]).get_implicit_global_asset_job_def()
print("dagster", version("dagster"))
with dg.DagsterInstance.ephemeral() as instance:
    one = job.execute_in_process(run_config=quiet, instance=instance, partition_key="2025-01-01")
    ends = {"dagster/asset_partition_range_start": "2025-01-02", "dagster/asset_partition_range_end": "2025-01-04"}
    three = job.execute_in_process(run_config=quiet, instance=instance, tags=ends)
    print("run of one day:", "success" if one.success else "failure")
    print("run of three days:", "success" if three.success else "failure")
    status = {
        info.partition_key: info.latest_execution_status.name
        for info in instance.event_log_storage.get_asset_check_partition_info([plausible.check_key])
    }
for day in sorted(status, key=lambda day: day or "9"):
    print(f"{day or 'no partition'}  {status[day]}")
expected = {f"2025-01-0{day}": "PLANNED" for day in (2, 3, 4)} | {"2025-01-01": "SUCCEEDED", None: "SUCCEEDED"}
if not (one.success and three.success and status == expected):
    sys.exit("The behaviour has changed.")
print("As noted: a range run plans a check for each day and evaluates it for none.")
EOF
