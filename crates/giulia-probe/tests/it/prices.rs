//! What a read of a table costs: as much as a node that measures it by itself says, larger values
//! cost more, and no table is left.

use giulia_probe::read_price;
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, run};

/// Nanoseconds of a lookup of a small row, the best of ten rounds, by the node itself.
const TRUTH: &str = "
T = ets:new(t, [set, protected, {read_concurrency, true}]), ets:insert(T, {<<0:96>>, []}),
Keys = lists:duplicate(1000, <<0:96>>), Tables = lists:duplicate(1000, T),
Best = lists:min([begin B = erlang:monotonic_time(nanosecond), lists:zipwith(fun ets:lookup/2, Tables, Keys),
                        erlang:monotonic_time(nanosecond) - B end || _ <- lists:seq(1, 10)]),
ets:delete(T), Best div 1000";

#[test]
fn a_read_is_priced_as_the_node_prices_it_and_no_table_is_left() {
    for_each_otp("a_read_is_priced_as_the_node_prices_it_and_no_table_is_left", |otp| {
        let node = Node::builder(otp).start();
        let truth_us = node.eval(TRUTH).trim().parse::<f64>().unwrap() / 1000.0;
        let tables = || node.eval("length(ets:all())");
        let before = tables();
        let (small, large) = run(async {
            let link = attach(&node, false).await;
            // Larger than is asked for at most.
            read_price(&link, 1 << 20, 1 << 20).await.unwrap();
            (read_price(&link, 12, 10).await.unwrap(), read_price(&link, 12, 20_000).await.unwrap())
        });
        // The best of all is below the middle; a machine that others use makes it several times.
        let often = small.often_us;
        assert!(often > truth_us / 2.0 && often < truth_us * 20.0, "{often} of {truth_us}");
        assert!(small.seldom_us >= small.often_us, "{small:?}");
        // 40 KB are copied for each.
        assert!(large.often_us > 4.0 * small.often_us, "{small:?} {large:?}");
        assert_eq!(tables(), before);
    });
}
