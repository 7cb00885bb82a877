//! One process against planted truth: ties, binaries, mailbox, dictionary, the shape of a state.

use giulia_model::{NameSource, ProcessDetail};
use giulia_probe::{NoProcess, ProcessOptions, process};
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, has_signal_bugs, run, settled};

/// A process with two links, a monitor, three binaries of 1,000 bytes (one held twice), three keys
/// and two messages; an event manager; a busy one.
const PLANTED: &str = "
Self = self(),
P = proc_lib:spawn(fun() ->
    register('Elixir.Shop.Cart', self()),
    process_flag(trap_exit, true),
    [spawn_link(timer, sleep, [infinity]) || _ <- [1, 2]],
    erlang:monitor(process, whereis(code_server)),
    B = [binary:copy(<<K>>, 1000) || K <- [1, 2, 3]],
    put(kept, {B, hd(B)}), put({a, key}, secret), put(lists:duplicate(1000, x), long),
    Self ! ready,
    receive stop -> B end end),
receive ready -> ok end, P ! one, P ! two, timer:sleep(50), erlang:garbage_collect(P),
register(events, element(2, gen_event:start())),
register(spinner, spawn(fun() -> Spin = fun Spin(N) -> Spin(N + 1) end, Spin(0) end)),
timer:sleep(200)";

async fn seen(
    node: &Node,
    who: &str,
    no_eval: bool,
    options: ProcessOptions,
) -> Result<ProcessDetail, NoProcess> {
    let link = attach(node, no_eval).await;
    process(&link, &who.parse().unwrap(), &options).await
}

#[test]
fn ties_binaries_and_keys_are_those_planted() {
    for_each_otp("ties_binaries_and_keys_are_those_planted", |otp| {
        let node = Node::builder(otp).eval(PLANTED).start();
        for no_eval in [false, true] {
            let it =
                run(seen(&node, "Shop.Cart", no_eval, ProcessOptions { state: false })).unwrap();
            assert_eq!((it.name.as_str(), it.name_source), ("Shop.Cart", NameSource::Registered));
            assert_eq!(it.registered_name.as_deref(), Some("Shop.Cart"));
            assert_eq!((it.trap_exit, it.mailbox_len), (Some(true), Some(2)));
            assert_eq!((it.status.as_str(), it.priority.as_deref()), ("waiting", Some("normal")));
            let links = it.links.unwrap();
            assert_eq!(links.total, 2);
            assert!(links.first.iter().all(|it| it.name.as_deref() == Some("timer:sleep/1")));
            let monitors = it.monitors.unwrap();
            assert_eq!(monitors.first[0].name.as_deref(), Some("code_server"));
            // The stack and the dictionary hold the same ones; garbage may hold some more.
            let held = it.binaries.unwrap();
            let truth = node.eval("{_, All} = process_info(whereis('Elixir.Shop.Cart'), binary), Each = lists:usort([{Id, Size} || {Id, Size, _} <- All]), {length(Each), lists:sum([Size || {_, Size} <- Each]), length(All), All}");
            assert!(
                truth.starts_with(&format!("{{{},{},", held.count, held.bytes)),
                "{held:?}, {no_eval}, {truth}"
            );
            assert!(held.count >= 3 && held.bytes >= 3000, "{held:?}");
            assert!(it.heap.unwrap().total_bytes > 1000);
            assert!(!it.stack.is_empty());
            if no_eval {
                assert!(it.not_seen.iter().any(|it| it.what.starts_with("keys")));
                continue;
            }
            let keys = it.dictionary_keys.unwrap();
            assert_eq!(keys.total, u64::try_from(keys.first.len()).unwrap());
            for key in ["kept", "{a,key}", "(a long key)", "$initial_call"] {
                assert!(keys.first.iter().any(|it| it == key), "{key}: {keys:?}");
            }
            let shown = format!("{keys:?}");
            assert!(!shown.contains("secret"), "{shown}");
            assert_eq!(it.not_seen, vec![]);
        }
    });
}

#[test]
fn a_state_is_told_by_its_shape_and_only_where_asking_is_safe() {
    for_each_otp("a_state_is_told_by_its_shape_and_only_where_asking_is_safe", |otp| {
        let node = Node::builder(otp).eval(PLANTED).start();
        let asked =
            |who: &str| run(seen(&node, who, false, ProcessOptions { state: true })).unwrap();
        let supervisor = asked("kernel_safe_sup");
        // Those of OTP 27 hibernate when they have started, and are not woken up.
        if let Some(state) = supervisor.state {
            assert_eq!(state.parts[0].kind, "tuple");
            assert_eq!(state.parts[1].atom.as_deref(), Some("state"));
            assert!(state.parts.iter().any(|it| it.atom.as_deref() == Some("kernel_safe_sup")));
        } else {
            assert!(supervisor.not_seen[0].why.contains("hibernation"), "{supervisor:?}");
        }
        let files = asked("file_server_2").state.unwrap();
        assert!(!files.cut && !files.parts.is_empty(), "{files:?}");
        assert_eq!(asked("events").state.unwrap().parts[0].size, Some(0));
        // Plain: the question would stay in its mailbox.
        let plain = asked("code_server");
        assert!(plain.state.is_none());
        assert!(plain.not_seen[0].why.contains("code_server:loop/1"), "{:?}", plain.not_seen);
        let full = asked("Shop.Cart");
        assert!(full.not_seen[0].why.starts_with("2 messages"), "{:?}", full.not_seen);
        let spins = asked("spinner");
        assert!(spins.state.is_none());
        if has_signal_bugs(otp) {
            assert!(spins.not_seen[0].what.starts_with("everything"), "{:?}", spins.not_seen);
        }
        let letters = "[element(2, process_info(whereis(P), message_queue_len)) || P <- [code_server, 'Elixir.Shop.Cart', spinner]]";
        assert_eq!(node.eval(letters), "[0,2,0]");
    });
}

#[test]
fn who_is_not_there_is_told_and_makes_no_atom() {
    for_each_otp("who_is_not_there_is_told_and_makes_no_atom", |otp| {
        let node = Node::builder(otp).start();
        drop(run(seen(&node, "kernel_sup", false, ProcessOptions { state: true })));
        let before = settled(&node);
        // One visit: a second at the same time would be given another name.
        run(async {
            let link = attach(&node, false).await;
            let ask = async |who: &str| {
                process(&link, &who.parse().unwrap(), &ProcessOptions { state: true }).await
            };
            let error = ask("no_such_name_here").await.unwrap_err().to_string();
            assert!(error.contains("no_such_name_here") && error.contains("pid"), "{error}");
            let error = ask("<0.32000.99>").await.unwrap_err().to_string();
            assert!(error.contains("does not run"), "{error}");
            assert!(ask("Elixir.No.Such").await.is_err() && ask("kernel_sup").await.is_ok());
        });
        let rest = before.diff(&settled(&node));
        assert!(rest.is_empty(), "{rest}");
    });
}
