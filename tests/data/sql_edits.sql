-- Edits of the store of tests/pipelines/store/test_sql_edits.py. Each: its name, what `verify` has to say, its statements.

-- a day's parts are deleted | contributions: a/app, 2025-03-03
delete from parts where contribution_id in (select id from a_day);

-- all days point at one day's sketch | contributions: a/app, 2025-03-04
update parts set sketch = (select sketch from parts where contribution_id in (select id from a_day));

-- a part is swapped with another day's | contributions: a/app, 2025-03-03
update parts set sketch = (select sketch from parts order by contribution_id limit 1) where contribution_id in (select id from a_day);

-- a part is added | contributions: a/app, 2025-03-03
insert into parts select contribution_id, 'external', 'phone', sketch, events, distinct_users, estimate from parts where contribution_id in (select id from a_day);

-- a part is another audience's | contributions: a/app, 2025-03-03
update parts set audience = 'automated' where contribution_id in (select id from a_day);

-- a part is another namespace's | contributions: a/app, 2025-03-03
update parts set namespace = 'person' where contribution_id in (select id from a_day);

-- a part has fewer events | contributions: a/app, 2025-03-03
update parts set events = 1 where contribution_id in (select id from a_day);

-- a part's users are fewer | parts: the rows
update parts set estimate = 1 where contribution_id in (select id from a_day);

-- a part's exact number is another | parts: the rows
update parts set distinct_users = 1 where contribution_id in (select id from a_day);

-- a sketch's bytes are another's | sketches: 
update sketches set image = (select image from sketches where digest = (select min(digest) from sketches where image is not null)) where digest = (select max(digest) from sketches where image is not null);

-- a sketch's bytes are cut off | isn't what its digest says
update sketches set image = substr(image, 1, 20) where digest = (select max(digest) from sketches where image is not null);

-- a sketch is of another lg_k | is of another lg_k
update sketches set lg_k = 12 where digest = (select max(digest) from sketches where image is not null);

-- a sketch is deleted | parts: 1 row without the row of sketches
delete from sketches where digest in (select sketch from parts where contribution_id in (select id from a_day));

-- a sketch is erased without an order | no order has erased it
update sketches set image = null where digest in (select sketch from parts where contribution_id in (select id from a_day));

-- a sketch is called erased | no order has erased it
update sketches set erased_at = '2025-05-01T00:00:00.000000Z' where digest in (select sketch from parts where contribution_id in (select id from a_day));

-- an erased sketch is called whole | sketches: 
update sketches set image = (select max(image) from sketches) where erased_at is not null;

-- an order to erase is deleted | was erased
delete from erasures;

-- an order is somebody else's | was erased
update erasures set signed_by = 'nobody';

-- a contribution is deleted | contributions: the rows
delete from parts where contribution_id in (select id from a_day);
delete from contributions where id in (select id from a_day);

-- the correction is deleted | contributions: the rows
delete from parts where contribution_id = (select max(id) from contributions);
delete from contributions where id = (select max(id) from contributions);

-- a contribution's digest is another | contributions: a/app, 2025-03-03
update contributions set digest = '0000000000000000000000000000000000000000000000000000000000000000' where id in (select id from a_day);

-- it was computed later | contributions: the rows
update contributions set computed_at = '2025-05-30T00:00:00.000000Z' where id in (select id from a_day);

-- it is of another day | contributions: a/tv, 2025-03-04
update contributions set activity_date = '2025-03-04' where activity_date = '2025-03-03' and product = 'tv';

-- it is of another product | contributions: a/tv, 2025-03-03
update contributions set product = 'tv' where id in (select id from a_day);

-- it is of another zone | contributions: a/app, 2025-03-03
update contributions set day_zone = 'Asia/Tokyo' where id in (select id from a_day);

-- it is by another definition | contributions: a/app, 2025-03-03
update contributions set definition = 'opened/1' where id in (select id from a_day);

-- it is by another crosswalk | contributions: a/app, 2025-03-03
update contributions set crosswalk_digest = '1111111111111111111111111111111111111111111111111111111111111111' where id in (select id from a_day);

-- it is by another key | contributions: the rows
update contributions set key_fingerprint = 'aaaaaaaaaaaa' where id in (select id from a_day);

-- it had no events of nobody | contributions: the rows
update contributions set unidentified_events = unidentified_events + 1;

-- it is a second one | contributions: the rows
update contributions set ahead = 1 where id in (select id from a_day);

-- somebody else sent it | contributions: the rows
update contributions set sender = 'b' where id in (select id from a_day);

-- it was computed again before it was computed | confirmations: a/app, 2025-03-03
insert into confirmations select id, '2000-01-01T00:00:00.000000Z', known_at from contributions where id in (select id from a_day);

-- a confirmation is of no contribution | confirmations: 1 row without
insert into confirmations values (9999, '2025-05-01T00:00:00.000000Z', '2025-05-01T00:00:00.000000Z');

-- a receipt is deleted | receipts: the row
delete from receipts where file = 'march.parquet';

-- a refused file was accepted | receipts: the row
update receipts set outcome = 'accepted', reasons = '' where outcome = 'refused';

-- a receipt is of other bytes | receipts: the row
update receipts set sha256 = '2222222222222222222222222222222222222222222222222222222222222222';

-- a count is smaller | counts: the row
update counts set users = 1;

-- a count is deleted | counts: the row
delete from counts where id = (select max(id) from counts);

-- a count is somebody else's | counts: the row
update counts set attested_by = 'nobody';

-- a figure is smaller | was published
update figures set estimate = 5 where publication = (select id from newest);

-- a bound is lower | was published
update figures set upper = lower where publication = (select id from newest);

-- a figure is complete | was published
update figures set complete = 1 - complete where publication = (select id from newest);

-- a figure has no reasons | was published
update figures set reasons = 'none' where publication = (select id from newest);

-- more days were there | was published
update figures set days_present = days_present + 1 where publication = (select id from newest);

-- a figure is deleted | was published
delete from figures where publication = (select id from newest) and scope = 'product';

-- a figure is of no publication | figures: 1 row without
create temp table copied as select * from figures where id = 1;
update copied set id = id + 1000, publication = null, estimate = 1;
insert into figures select * from copied;

-- somebody else signed | was published
update publications set signed_by = 'nobody' where id = (select id from newest);

-- nobody signed despite | was published
update publications set despite = null where id = (select id from newest);

-- a signing is deleted | was published
delete from figures where publication = (select id from newest);
delete from publications where id = (select id from newest);

-- it restates another one | restates another one
update publications set supersedes = 1 where id = (select id from newest);

-- an earlier publication is in force again | stands in another order
update figures set publication = publication + 1000 where publication = (select id from earlier);
update publications set id = id + 1000 where id = (select id from earlier);

-- an earlier publication is copied | 1 publications are in no entry
create temp table copied as select * from publications where id = (select id from earlier);
create temp table its_figures as select * from figures where publication = (select id from earlier);
update copied set id = id + 1000;
update its_figures set id = id + 1000, publication = publication + 1000;
insert into publications select * from copied;
insert into figures select * from its_figures;

-- a licence's result is another | was tested
update licence_tests set result = 'over' where id = (select max(id) from licence_tests);

-- a threshold is higher | was tested
update licence_tests set threshold = threshold * 10;

-- a licence's test is deleted | was tested
delete from licence_tests where id = (select max(id) from licence_tests);

-- an entry's body is another | isn't what its digest says
update ledger set body = replace(body, 'closed', 'preliminary');

-- an entry is deleted | comes after
delete from ledger where number = 2;

-- the newest entry is deleted | in no entry
delete from ledger where number = (select max(number) from ledger);

-- the ledger is gone | are in no entry
delete from ledger;

-- an alert's level is lower | incidents: the row
update incidents set level = 'none';

-- an alert is deleted | incidents: the row
delete from incidents;
