%% The front door: what a test, a demo or a person plants, and what it should then see.
%%
%%   application:start(sample).
%%   sample:plant(ratio).               20 processes working in the ratio 1:2:...:20
%%   sample:plant({ratio, 5, 1000}).    5 of them, 1,000 reductions a unit
%%   sample:plant(mailbox).             one process with 1,000 messages it never reads
%%   sample:plant(pool).                50 idle processes under one label (OTP 27 and later)
%%   sample:plant({idle, 200000}).      that many processes that do nothing
%%   sample:plant(load).                all but the idle ones
%%   sample:truth().                    what there is, as a map
-module(sample).
-export([plant/1, truth/0]).

plant(load) -> lists:foreach(fun plant/1, [ratio, mailbox, pool]);
plant(What) -> sample_planter:plant(What).

truth() -> maps:merge(#{tables => sample_tables:truth()}, sample_planter:truth()).
