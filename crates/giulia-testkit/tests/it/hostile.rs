//! The hostile peers are what a real node would meet: one that behaves is let in.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use giulia_testkit::{
    Node, for_each_otp,
    hostile::{After, EpmdPeer, Hostile, Peer, Shake},
};

#[test]
fn a_real_node_takes_the_stand_in_for_one() {
    for_each_otp("kit::a_real_node_takes_the_stand_in_for_one", |otp| {
        let connect = "net_kernel:connect_node('hostile@127.0.0.1')";
        // The node's own EPMD is the hostile one: it registers there and looks names up.
        let knowing = |peer: &Hostile| {
            let port = peer.epmd_port().to_string();
            Node::builder(otp).env("ERL_EPMD_PORT", &port).start()
        };
        let good = Hostile::node(Peer::Connects(After::TicksOnly));
        let node = knowing(&good);
        assert_eq!(node.eval(connect), "true");
        assert_eq!(node.eval("nodes(connected)"), "['hostile@127.0.0.1']");
        let liar = Hostile::node(Peer::Shakes(Shake::ProvesNothing));
        assert_eq!(knowing(&liar).eval(connect), "false");
        assert_eq!(liar.connections(), 1);
    });
}

#[test]
fn a_web_server_answers_as_one_and_a_silent_epmd_does_not() {
    let web = Hostile::node(Peer::Http);
    assert!(ask(web.dist_port(), b"\0\x01N").starts_with("HTTP/1.1 400"));
    let silent = Hostile::epmd(EpmdPeer::Silent);
    assert_eq!(ask(silent.epmd_port(), b"\0\x01n"), "");
    let finds = Hostile::epmd(EpmdPeer::Finds);
    let port = finds.dist_port();
    assert!(
        ask(finds.epmd_port(), b"\0\x01n").ends_with(&format!("name hostile at port {port}\n"))
    );
}

fn ask(port: u16, question: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    stream.write_all(question).unwrap();
    let mut answer = [0; 256];
    let read = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).into_owned()
}
