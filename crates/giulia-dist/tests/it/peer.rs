//! A stand-in for a node: accepts, shakes hands as told, then does what the test wants.

use std::{future::Future, time::Duration};

use bytes::BytesMut;
use giulia_dist::{
    Config, Connection, Cookie, Error, Limits, Target,
    control::Control,
    flags,
    frame::{self, FrameReader, Header, Incoming},
    handshake,
    term::Term,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the stand-in calls itself.
pub(crate) const NAME: &str = "stand@127.0.0.1";
/// What it calls us.
pub(crate) const OURS: &str = "us@127.0.0.1";
pub(crate) const COOKIE: &str = "c";
/// Long enough for a loaded machine, short enough for a test.
pub(crate) const SOON: Duration = Duration::from_secs(5);

/// Listens, serves one connection after another with `serve`, and says where.
pub(crate) async fn listen<F, S>(serve: S) -> String
where
    F: Future<Output = ()> + Send,
    S: Fn(TcpStream) -> F + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream).await;
        }
    });
    address
}

pub(crate) fn target(address: &str) -> Target {
    Target::new(NAME.parse().unwrap()).at(address)
}

pub(crate) fn config() -> Config {
    let mut config = Config::new(Cookie::new(COOKIE));
    config.connect_timeout = Duration::from_secs(2);
    config.limits = Limits { message_bytes_max: 1 << 20, ..Limits::default() };
    config
}

/// Connects to a stand-in that serves established connections with `serve`.
pub(crate) async fn established<F, S>(config: Config, serve: S) -> Connection
where
    F: Future<Output = ()> + Send,
    S: Fn(Peer) -> F + Clone + Send + 'static,
{
    let address = listen(move |mut stream| {
        let serve = serve.clone();
        async move {
            shake(&mut stream).await;
            let frames = FrameReader::new(&Limits::default(), BytesMut::new());
            tokio::spawn(async move { serve(Peer { stream, frames }).await }).await.unwrap();
        }
    })
    .await;
    Connection::connect(&target(&address), &config).await.unwrap()
}

pub(crate) async fn connect_error(address: &str) -> Error {
    Connection::connect(&target(address), &config()).await.unwrap_err()
}

pub(crate) async fn read_message(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u16().await.unwrap();
    let mut message = vec![0; length.into()];
    stream.read_exact(&mut message).await.unwrap();
    message
}

pub(crate) async fn write_message(stream: &mut TcpStream, body: &[u8]) {
    let mut message = u16::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    message.extend_from_slice(body);
    stream.write_all(&message).await.unwrap();
}

/// Reads our name and gives us one.
pub(crate) async fn give_name(stream: &mut TcpStream) {
    let message = read_message(stream).await;
    assert_eq!(message[0], b'N');
    let mut status = b"snamed:".to_vec();
    status.extend(u16::try_from(OURS.len()).unwrap().to_be_bytes());
    status.extend(OURS.bytes());
    status.extend(7u32.to_be_bytes());
    write_message(stream, &status).await;
}

pub(crate) async fn challenge(stream: &mut TcpStream, name: &str) {
    let mut body = vec![b'N'];
    body.extend(flags::OFFERED.to_be_bytes());
    body.extend(1_234u32.to_be_bytes());
    body.extend(9u32.to_be_bytes());
    body.extend(u16::try_from(name.len()).unwrap().to_be_bytes());
    body.extend(name.bytes());
    // What may follow must be ignored.
    body.extend(b"future");
    write_message(stream, &body).await;
}

/// The whole handshake of an honest node.
pub(crate) async fn shake(stream: &mut TcpStream) {
    give_name(stream).await;
    challenge(stream, NAME).await;
    let reply = read_message(stream).await;
    let cookie = Cookie::new(COOKIE);
    assert_eq!(reply[0], b'r');
    assert_eq!(reply[5..], handshake::digest(&cookie, 1_234));
    let theirs = u32::from_be_bytes(reply[1..5].try_into().unwrap());
    let mut ack = vec![b'a'];
    ack.extend(handshake::digest(&cookie, theirs));
    write_message(stream, &ack).await;
}

/// The stand-in's side of an established connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    frames: FrameReader,
}

impl Peer {
    /// The next message; ticks are skipped.
    pub(crate) async fn control(&mut self) -> Control {
        loop {
            match self.frames.take().unwrap() {
                Some(Incoming::Message { control, .. }) => {
                    return Control::decode(&control).unwrap();
                }
                Some(Incoming::Tick | Incoming::Oversized { .. }) => {}
                None => {
                    let n_read = self.stream.read_buf(self.frames.buffer()).await.unwrap();
                    assert!(n_read > 0, "the client closed the connection");
                }
            }
        }
    }

    pub(crate) async fn send(&mut self, control: &Term<'_>, payload: Option<&Term<'_>>) {
        let encode = |term: &Term<'_>| {
            let mut bytes = Vec::new();
            term.encode(&mut bytes).unwrap();
            bytes
        };
        let payload = payload.map(encode);
        let frame = frame::encode(Header::Distribution, &encode(control), payload.as_deref());
        self.stream.write_all(&frame).await.unwrap();
    }

    /// Reads until the client goes away.
    pub(crate) async fn linger(&mut self) {
        let mut sink = [0; 4_096];
        while self.stream.read(&mut sink).await.is_ok_and(|it| it > 0) {}
    }
}
