//! The planted loads are what they say: checked inside the node, before giulia is.

use std::{thread, time::Duration};

use giulia_testkit::{Node, for_each_otp};

#[test]
fn the_sample_plants_what_it_says() {
    for_each_otp("kit::the_sample_plants_what_it_says", |otp| {
        for builder in [Node::builder(otp), Node::builder(otp).embedded()] {
            let node = builder.start();
            let sample = node.sample();
            sample.plant("load");
            let tables = sample.tables();
            let sizes: Vec<(&str, u64)> =
                tables.iter().map(|it| (it.name.as_str(), it.objects)).collect();
            assert_eq!(
                sizes,
                [
                    ("sample_small", 10),
                    ("sample_mid", 1000),
                    ("sample_big", 50_000),
                    ("sample_bag", 500),
                    ("sample_unnamed", 25),
                ]
            );
            let workers = sample.workers();
            assert_eq!(workers.len(), 20);
            assert_eq!(workers[19].1, 20);
            let alive = format!("is_process_alive(list_to_pid(\"{}\"))", workers[19].0);
            assert_eq!(node.eval(&alive), "true");
            assert_eq!(sample.pool().len(), 50);
            assert_eq!(node.eval("ets:info(sample_big, size)"), "50000");
            assert_eq!(node.eval("ets:info(sample_mid, read_concurrency)"), "true");
            assert_eq!(node.eval("ets:info(sample_small, size)"), "10");
            let queue = node.eval("process_info(whereis(sample_mailbox), message_queue_len)");
            assert_eq!(queue, "{message_queue_len,1000}");
            let pool = "#{pool := {Pids, Label}} = sample:truth(), {length(Pids), Label}";
            let label = if otp.release >= 27 { "sample_pool" } else { "false" };
            assert_eq!(node.eval(pool), format!("{{50,{label}}}"));
            let apps = "#{pool := {[P | _], _}} = sample:truth(), application:get_application(P)";
            assert_eq!(node.eval(apps), "{ok,sample}");
        }
    });
}

#[test]
fn the_paced_load_keeps_its_ratio() {
    for_each_otp("kit::the_paced_load_keeps_its_ratio", |otp| {
        let node = Node::builder(otp).start();
        node.sample().plant("ratio");
        let reductions = "#{pace := #{periods := N, workers := W}} = sample:truth(),
             [N | [element(2, process_info(P, reductions)) || {P, _} <- W]]";
        let before = numbers(&node.eval(reductions));
        thread::sleep(Duration::from_secs(3));
        let after = numbers(&node.eval(reductions));
        let spent: Vec<f64> = before.iter().zip(&after).map(|(a, b)| b - a).collect();
        let (periods, workers) = spent.split_first().unwrap();
        assert!(*periods > 10.0, "{periods} periods in three seconds");
        let total: f64 = workers.iter().sum();
        for (k, worker) in (1..=20).map(f64::from).zip(workers) {
            let (share, truth) = (100.0 * worker / total, 100.0 * k / 210.0);
            assert!((share - truth).abs() < 0.5, "worker {k}: {share:.2} % for {truth:.2} %");
        }
    });
}

#[test]
fn the_elixir_sample_runs() {
    for_each_otp("kit::the_elixir_sample_runs", |otp| {
        for builder in [Node::builder(otp), Node::builder(otp).embedded()] {
            let node = builder.elixir().start();
            node.eval("{ok, _} = application:ensure_all_started(sample_ex)");
            thread::sleep(Duration::from_millis(400));
            assert_eq!(node.eval("'Elixir.Sample.Cache':fetch(7)"), "{ok,49}");
            let bumps: u32 = node.eval("'Elixir.Sample.Counter':bump()").parse().unwrap();
            assert!(bumps > 2, "{bumps} bumps of the ticker");
        }
    });
}

#[test]
fn two_hundred_thousand_processes_fit() {
    for_each_otp("kit::two_hundred_thousand_processes_fit", |otp| {
        let node = Node::builder(otp).args(["+P", "400000"]).start();
        node.sample().plant("{idle, 200000}");
        let count: u32 = node.eval("erlang:system_info(process_count)").parse().unwrap();
        assert!((200_000..200_200).contains(&count), "{count} processes");
    });
}

fn numbers(list: &str) -> Vec<f64> {
    list.trim_matches(['[', ']']).split(',').map(|it| it.trim().parse().unwrap()).collect()
}
