//! Patterns against planted modules: what they mean, and what is offered where they mean nothing.

use giulia_model::FunctionPattern;
use giulia_probe::{NotResolved, Resolved, resolve};
use giulia_testkit::{Node, for_each_otp};

use crate::{attach, run};

/// Two modules of one shape and, with a name of Elixir's, a third.
const PLANTED: &str = r#"
[begin
    Forms = [begin {ok, Tokens, _} = erl_scan:string(Text), {ok, Form} = erl_parse:parse_form(Tokens), Form end
             || Text <- ["-module('" ++ Name ++ "').", "-export([get/1, put/2]).", "get(K) -> hidden(K).",
                         "put(K, V) -> {K, V}.", "hidden(K) -> lists:map(fun(It) -> It end, [K])."]],
    {ok, Module, Code} = compile:forms(Forms),
    {module, Module} = code:load_binary(Module, "planted", Code)
 end || Name <- ["plant_one", "plant_two", "Elixir.Plant.Three"]]"#;

async fn means(node: &Node, patterns: &[&str]) -> Result<Resolved, NotResolved> {
    let link = attach(node, false).await;
    let patterns: Vec<FunctionPattern> = patterns.iter().map(|it| it.parse().unwrap()).collect();
    resolve(&link, &patterns).await
}

fn functions(of: &Resolved) -> Vec<String> {
    of.functions().map(|it| it.to_string()).filter(|it| !it.contains("module_info")).collect()
}

#[test]
fn patterns_mean_what_is_loaded_private_functions_too() {
    for_each_otp("patterns_mean_what_is_loaded_private_functions_too", |otp| {
        let node = Node::builder(otp).eval(PLANTED).start();
        let found = run(means(&node, &["plant_one", "plant_one:get"])).unwrap();
        assert!(found.missing.is_empty() && found.modules[0].is_whole, "{found:?}");
        let names = functions(&found);
        assert_eq!(names.len(), 4, "{names:?}");
        assert!(names.contains(&"plant_one:hidden/1".to_owned()), "{names:?}");
        assert!(names.iter().any(|it| it.contains("fun-0-")), "{names:?}");
        let found = run(means(&node, &["plant_*:get/1", "Plant.*:put"])).unwrap();
        let expected = ["Plant.Three.put/2", "plant_one:get/1", "plant_two:get/1"];
        assert_eq!(functions(&found), expected);
        assert!(!found.modules[0].is_whole);
        let found = run(means(&node, &["app:stdlib"])).unwrap();
        assert!(found.functions().any(|it| it.to_string() == "lists:map/2"));
        assert!(found.not_loaded.contains(&"qlc".to_owned()), "{:?}", found.not_loaded);
    });
}

#[test]
fn what_is_not_there_is_named_with_what_is_near_and_makes_no_atom() {
    for_each_otp("what_is_not_there_is_named_with_what_is_near_and_makes_no_atom", |otp| {
        let node = Node::builder(otp).eval(PLANTED).start();
        let wrong =
            ["plant_oen", "Plant.Tree.get", "plant_one:gte/1", "app:stdlb", "plant_one:get/7"];
        let known = run(means(&node, &["plant_one"])).unwrap();
        assert!(!known.is_empty());
        let atoms = || node.eval("erlang:system_info(atom_count)");
        let before = atoms();
        let found = run(means(&node, &wrong)).unwrap();
        assert_eq!(atoms(), before);
        assert!(found.is_empty(), "{found:?}");
        let near = |pattern: &str| {
            let is_of = |it: &&giulia_probe::Missing| it.pattern == pattern;
            found.missing.iter().find(is_of).map(|it| it.near.join(" ")).unwrap()
        };
        assert_eq!(near("plant_oen"), "plant_one plant_two");
        assert_eq!(near("Plant.Tree.get"), "Plant.Three");
        assert_eq!(near("plant_one:gte/1"), "plant_one:get/1");
        assert_eq!(near("plant_one:get/7"), "plant_one:get/1");
        assert_eq!(near("app:stdlb"), "app:stdlib");
        assert_eq!(found.missing.len(), wrong.len());
    });
}

#[test]
fn too_much_is_refused_with_what_to_narrow() {
    for_each_otp("too_much_is_refused_with_what_to_narrow", |otp| {
        let planted = r#"
[begin
    Name = "many_" ++ integer_to_list(N),
    Functions = [{function, 1, list_to_atom("f" ++ integer_to_list(F)), 0, [{clause, 1, [], [], [{atom, 1, ok}]}]}
                 || F <- lists:seq(1, 2500)],
    {ok, Module, Code} = compile:forms([{attribute, 1, module, list_to_atom(Name)} | Functions], [nowarn_unused_function, no_copt, export_all]),
    {module, Module} = code:load_binary(Module, "planted", Code)
 end || N <- lists:seq(1, 20)]"#;
        let node = Node::builder(otp).eval(planted).start();
        let refused = run(means(&node, &["many_*"])).unwrap_err().to_string();
        assert!(refused.contains("50040 functions in 20 modules"), "{refused}");
        assert!(refused.contains("narrow") && refused.contains("many_1"), "{refused}");
    });
}
