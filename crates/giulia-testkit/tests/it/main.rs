//! The kit against real nodes: what the other crates' live tests stand on.

use giulia_testkit::{Names, Node, ServerCertificate, TlsSetup, for_each_otp};

#[test]
fn every_shape_of_node_starts() {
    for_each_otp("kit::every_shape_of_node_starts", |otp| {
        for (is_embedded, has_elixir) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let mut builder = Node::builder(otp).name("shape");
            if is_embedded {
                builder = builder.embedded();
            }
            if has_elixir {
                builder = builder.elixir();
            }
            let node = builder.start();
            let mode = if is_embedded { "embedded" } else { "interactive" };
            assert_eq!(node.eval("code:get_mode()"), mode);
            let elixir = node.eval("code:is_loaded('Elixir.Logger') =/= false");
            assert_eq!(elixir, has_elixir.to_string());
            let dbg = node.eval("code:ensure_loaded(dbg)");
            assert_eq!(dbg.starts_with("{module"), !is_embedded, "{dbg}");
            let release = node.eval("erlang:system_info(otp_release)");
            assert_eq!(release, format!("{:?}", otp.release.to_string()));
        }
    });
}
