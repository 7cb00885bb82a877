//! Projects made on disk, as tools lay them out and as attackers would.
use std::{fs, os::unix::fs::symlink};

use super::*;

/// A project of these files; what stands behind `=` is in them.
fn planted(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let (path, text) = file.split_once('=').unwrap_or((file, ""));
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn walked(folder: &Path, with_dependencies: bool) -> Project {
    let root = folder.to_owned();
    project(&ProjectRequest { root, with_dependencies, libraries: Vec::new() }).unwrap()
}

/// What is found, one line a file.
fn shown(project: &Project) -> Vec<String> {
    let files = project.files.iter().map(|it| {
        let of = it.application.map_or("-", |it| &project.applications[it].name);
        format!("{of} {:?} {:?} {}", it.role, it.kind, it.path.display())
    });
    files.collect()
}

#[test]
fn an_umbrella() {
    let folder = planted(&[
        "mix.exs=def project, do: [apps_path: \"apps\"]",
        "mix.lock=%{\n  \"plug\": {:hex, :plug},\n}",
        "apps/shop/mix.exs=[app: :shop, version: \"1\"]",
        "apps/shop/lib/shop.ex",
        "apps/shop/lib/shop/page.html.heex",
        "apps/shop/test/shop_test.exs",
        "apps/shop/config/config.exs",
        "apps/shop_web/mix.exs=[app: :web]",
        "apps/shop_web/lib/test/helpers.ex",
        "apps/shop_web/src/scan.erl",
        "deps/ecto/lib/ecto.ex",
        "_build/dev/lib/shop/x.ex",
        "node_modules/it/x.ex",
        "apps/shop/priv/templates/made.ex",
        "apps/shop/priv/repo/migrations/1_first.exs",
    ]);
    let project = walked(folder.path(), false);
    assert_eq!(project.layout, Layout::Umbrella);
    assert_eq!(
        shown(&project),
        [
            "shop Build Elixir apps/shop/config/config.exs",
            "shop Source Template apps/shop/lib/shop/page.html.heex",
            "shop Source Elixir apps/shop/lib/shop.ex",
            "shop Build Elixir apps/shop/mix.exs",
            "shop Build Elixir apps/shop/priv/repo/migrations/1_first.exs",
            "shop Test Elixir apps/shop/test/shop_test.exs",
            "web Source Elixir apps/shop_web/lib/test/helpers.ex",
            "web Build Elixir apps/shop_web/mix.exs",
            "web Source Erlang apps/shop_web/src/scan.erl",
            "- Build Elixir mix.exs",
        ]
    );
    assert_eq!(project.dependencies, ["ecto", "plug"]);
    assert!(project.problems.is_empty());
    let all = walked(folder.path(), true);
    assert_eq!(all.files.len(), project.files.len() + 1);
}

#[test]
fn rebar3_erlang_mk_and_plain_trees() {
    let folder = planted(&[
        "rebar.config",
        "rebar.lock=[{<<\"cowlib\">>,{pkg,<<\"cowlib\">>}},\n {<<\"ranch\">>,1}].",
        "apps/one/src/first.app.src",
        "apps/one/src/deep/one.erl",
        "apps/one/include/one.hrl",
        "apps/one/test/one_SUITE.erl",
    ]);
    let project = walked(folder.path(), false);
    assert_eq!(project.layout, Layout::Rebar3);
    let files = [
        "first Source Header apps/one/include/one.hrl",
        "first Source Erlang apps/one/src/deep/one.erl",
        "first Test Erlang apps/one/test/one_SUITE.erl",
    ];
    assert_eq!(shown(&project), files);
    assert_eq!(project.dependencies, ["cowlib", "ranch"]);

    let folder = planted(&["erlang.mk", "Makefile=PROJECT = shop\n", "src/shop.erl"]);
    let project = walked(folder.path(), false);
    assert_eq!(project.layout, Layout::ErlangMk);
    assert_eq!(shown(&project), ["shop Source Erlang src/shop.erl"]);

    let folder = planted(&["kernel-10.2/src/code.erl", "kernel-10.2/src/x/y.erl", "z/a.erl"]);
    let project = walked(folder.path(), false);
    assert_eq!(project.layout, Layout::Plain);
    let files = [
        "kernel Source Erlang kernel-10.2/src/code.erl",
        "kernel Source Erlang kernel-10.2/src/x/y.erl",
        "- Source Erlang z/a.erl",
    ];
    assert_eq!(shown(&project), files);
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_there() {
    let outside = planted(&["secret.erl"]);
    let folder = planted(&["src/a.erl", "src/b/c.erl", "src/large.erl"]);
    let root = folder.path();
    symlink(root, root.join("src/circle")).unwrap();
    symlink(root.join("src/b"), root.join("again")).unwrap();
    symlink(outside.path(), root.join("out")).unwrap();
    symlink(outside.path().join("secret.erl"), root.join("src/secret.erl")).unwrap();
    symlink(root.join("src/nowhere"), root.join("src/gone.erl")).unwrap();
    let large = fs::File::options().write(true).open(root.join("src/large.erl")).unwrap();
    large.set_len(PROJECT_FILE_BYTES_MAX + 1).unwrap();
    let project = walked(root, false);
    let files: Vec<String> = project.files.iter().map(|it| it.path.display().to_string()).collect();
    assert_eq!(files, ["src/a.erl", "src/b/c.erl"]);
    let problems: Vec<String> =
        project.problems.iter().map(|it| format!("{}: {}", it.path.display(), it.text)).collect();
    let expected = [
        "out: a link out of the project",
        "src/circle: a link in a circle",
        "src/gone.erl: a link that leads nowhere",
        "src/large.erl: 16777217 bytes or more",
        "src/secret.erl: a link out of the project",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.starts_with(expected), "{problem}");
    }
}

#[test]
fn a_folder_that_is_none_is_an_error_with_the_next_step() {
    let root = PathBuf::from("/nowhere/at/all");
    let request = ProjectRequest { root, with_dependencies: false, libraries: Vec::new() };
    let error = project(&request).unwrap_err();
    assert!(error.to_string().contains("name the folder"), "{error}");
}

#[test]
fn headers_come_from_where_the_tools_take_them() {
    let outside = planted(&["kernel-9.1/include/k.hrl=nine", "kernel-10.0/include/k.hrl=ten"]);
    let folder = planted(&[
        "rebar.config",
        "apps/one/src/one.app.src",
        "apps/one/src/one.erl",
        "apps/one/src/beside.hrl=beside",
        "apps/one/include/public.hrl=public",
        "apps/two/src/two.app.src",
        "apps/two/include/two.hrl=two",
        "deps/three/include/three.hrl=three",
        "src/odd/place/lonely.hrl=lonely",
        "secret=secret",
    ]);
    let libraries = vec![outside.path().to_owned()];
    let root = folder.path().to_owned();
    let project = project(&ProjectRequest { root, with_dependencies: false, libraries }).unwrap();
    let includes = Includes::new(&project);
    let from = Path::new("apps/one/src/one.erl");
    let text = |it: Option<Included>| {
        it.map_or(String::new(), |it| String::from_utf8_lossy(&it.bytes).into_owned())
    };
    for name in ["beside", "public", "lonely"] {
        assert_eq!(text(includes.include(from, &format!("{name}.hrl"))), name);
    }
    assert_eq!(text(includes.include(from, "../include/public.hrl")), "public");
    for (name, expected) in [
        ("two/include/two.hrl", "two"),
        ("three/include/three.hrl", "three"),
        ("kernel/include/k.hrl", "ten"),
        ("one/include/none.hrl", ""),
    ] {
        assert_eq!(text(includes.include_lib(from, name)), expected);
    }
    // The reader of Erlang asks for them by text.
    let source = b"-module(one).\n-include(\"beside.hrl\").\n";
    let headers: &dyn giulia_code::source::erlang::Headers = &includes;
    let options = giulia_code::source::erlang::Options::NONE;
    let facts =
        giulia_code::source::erlang::facts("apps/one/src/one.erl", source, headers, &options);
    assert_eq!(facts.headers, ["apps/one/src/beside.hrl"]);
    // Nothing outside, however it is spelt.
    symlink("/etc/passwd", folder.path().join("apps/one/src/link.hrl")).unwrap();
    for name in ["/etc/passwd", "../../../../../../../../etc/passwd", "link.hrl"] {
        assert_eq!(includes.include(from, name), None);
    }
}
