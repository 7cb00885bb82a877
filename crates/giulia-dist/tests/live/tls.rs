//! TLS distribution: who proves what to whom, and what is said when it fails.

use giulia_dist::{
    Connection, ErrorKind,
    tls::{TlsOptions, Verify},
};
use giulia_testkit::{
    Node, Otp,
    ServerCertificate::{self, CommonNameOnly, Expired, Good, WrongHost},
    TlsSetup, for_each_otp,
};

use crate::{ask, call, config, run, target};

/// What came of it: the answer to a call, or the kind of the error.
fn outcome(node: &Node, tls: TlsOptions) -> Result<String, (ErrorKind, String)> {
    run(async {
        let mut config = config(node);
        config.connect_timeout = std::time::Duration::from_secs(3);
        config.tls = Some(tls);
        let connected = Connection::connect(&target(node), &config).await;
        let connection = connected.map_err(|it| (it.kind(), it.to_string()))?;
        let answer = ask(&connection, &call("erlang", "is_alive", [])).await;
        answer.map_err(|it| (it.kind(), it.to_string()))
    })
}

fn check(node: &Node, tls: TlsOptions, expected: Result<(), ErrorKind>) {
    let shown = format!("{tls:?}");
    match (outcome(node, tls), expected) {
        (Ok(answer), Ok(())) => assert_eq!(answer, "true", "{shown}"),
        (Err((kind, text)), Err(expected)) => assert_eq!(kind, expected, "{text}\n{shown}"),
        (got, expected) => panic!("{got:?} in place of {expected:?} with {shown}"),
    }
}

fn with_client(node: &Node) -> TlsOptions {
    let (certificate, key) = node.tls().client();
    TlsOptions { cert_file: Some(certificate), key_file: Some(key), ..server_only(node) }
}

fn server_only(node: &Node) -> TlsOptions {
    TlsOptions { ca_file: Some(node.tls().ca()), ..TlsOptions::default() }
}

fn open(otp: &Otp, certificate: ServerCertificate) -> Node {
    Node::builder(otp).tls(TlsSetup::ServerOnly(certificate)).start()
}

#[test]
fn a_node_that_asks_for_a_certificate_gets_one() {
    for_each_otp("dist::a_node_that_asks_for_a_certificate_gets_one", |otp| {
        let node = Node::builder(otp).tls(TlsSetup::Mutual(Good)).start();
        check(&node, with_client(&node), Ok(()));
        check(&node, server_only(&node), Err(ErrorKind::TlsClientCertificate));
        let (certificate, key) = node.tls().other_client();
        let other =
            TlsOptions { cert_file: Some(certificate), key_file: Some(key), ..server_only(&node) };
        check(&node, other, Err(ErrorKind::TlsClientCertificate));
        let optfile = TlsOptions::from_optfile(&node.tls().client_optfile()).unwrap();
        check(&node, optfile, Ok(()));
    });
}

#[test]
fn a_wrong_authority_is_not_trusted() {
    for_each_otp("dist::a_wrong_authority_is_not_trusted", |otp| {
        let node = open(otp, Good);
        check(&node, server_only(&node), Ok(()));
        let other = TlsOptions { ca_file: Some(node.tls().other_ca()), ..TlsOptions::default() };
        check(&node, other.clone(), Err(ErrorKind::TlsUntrusted));
        check(
            &node,
            TlsOptions { verify: Verify::Ca, ..other.clone() },
            Err(ErrorKind::TlsUntrusted),
        );
        check(&node, TlsOptions { verify: Verify::None, ..other }, Ok(()));
    });
}

#[test]
fn a_certificate_without_the_host_passes_the_chain_only() {
    for_each_otp("dist::a_certificate_without_the_host_passes_the_chain_only", |otp| {
        for certificate in [CommonNameOnly, WrongHost] {
            let node = open(otp, certificate);
            check(&node, server_only(&node), Err(ErrorKind::TlsUntrusted));
            check(&node, TlsOptions { verify: Verify::Ca, ..server_only(&node) }, Ok(()));
        }
        let node = open(otp, WrongHost);
        let elsewhere = Some("elsewhere.invalid".to_owned());
        check(&node, TlsOptions { server_name: elsewhere, ..server_only(&node) }, Ok(()));
    });
}

#[test]
fn an_expired_certificate_is_not_trusted() {
    for_each_otp("dist::an_expired_certificate_is_not_trusted", |otp| {
        let node = open(otp, Expired);
        check(&node, server_only(&node), Err(ErrorKind::TlsUntrusted));
        let unchecked = TlsOptions { verify: Verify::None, ..server_only(&node) };
        check(&node, unchecked, Ok(()));
    });
}

#[test]
fn plain_against_tls_and_tls_against_plain() {
    for_each_otp("dist::plain_against_tls_and_tls_against_plain", |otp| {
        let secure = open(otp, Good);
        run(async {
            let mut config = config(&secure);
            config.connect_timeout = std::time::Duration::from_secs(3);
            let error = Connection::connect(&target(&secure), &config).await.unwrap_err();
            let told = error.to_string();
            assert!(
                told.contains("--tls"),
                "{:?} does not say that TLS is on: {told}",
                error.kind()
            );
        });
        let plain = Node::builder(otp).start();
        let tls = TlsOptions { verify: Verify::None, ..TlsOptions::default() };
        check(&plain, tls, Err(ErrorKind::Tls));
    });
}
