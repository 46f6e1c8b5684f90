//! A TCP proxy that stands before a store and can refuse, stall and cut what goes through it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{ReadHalf, WriteHalf},
    },
    sync::watch,
};

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing bad.
    None,
    /// New connections are reset at once, open ones are cut.
    Refuse,
    /// Connections are taken, but nothing goes through until the fault is over.
    Stall,
    /// Requests go through, but their answers are cut off: whoever asked can't know what was done.
    CutAnswers,
}

/// A proxy, as long as this value lives.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    fault: Arc<watch::Sender<Fault>>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// A proxy before `target`, without fault.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub async fn before(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let fault = Arc::new(watch::Sender::new(Fault::None));
        let task = tokio::spawn(accept(listener, target, Arc::clone(&fault)));
        Ok(Self { address, fault, task })
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }

    /// For a while, then none; also when this future is dropped.
    pub async fn disturb(&self, fault: Fault, time: Duration) {
        struct Ending<'a>(&'a Proxy);
        impl Drop for Ending<'_> {
            fn drop(&mut self) {
                self.0.set(Fault::None);
            }
        }
        let _ending = Ending(self);
        self.set(fault);
        tokio::time::sleep(time).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: SocketAddr, fault: Arc<watch::Sender<Fault>>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of file descriptors, for a moment.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        tokio::spawn(carry(client, target, fault.subscribe()));
    }
}

/// A connection that a fault, or a side that broke off, has ended.
struct Cut;

/// Carries one connection until both sides have closed it, or a fault ends it.
async fn carry(mut client: TcpStream, target: SocketAddr, fault: watch::Receiver<Fault>) {
    if exchange(&mut client, target, fault).await.is_err() {
        // A reset rather than an orderly end: clients must not take it for an answer. What is orderly must not be
        // reset, though, as that would take back what is still on its way.
        let _ = client.set_zero_linger();
    }
}

async fn exchange(
    client: &mut TcpStream,
    target: SocketAddr,
    mut fault: watch::Receiver<Fault>,
) -> Result<(), Cut> {
    if *fault.borrow_and_update() == Fault::Refuse {
        return Err(Cut);
    }
    fault.wait_for(|fault| *fault != Fault::Stall).await.map_err(|_| Cut)?;
    let mut server = TcpStream::connect(target).await.map_err(|_| Cut)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let there = pipe(from_client, to_server, fault.clone(), false);
    let back = pipe(from_server, to_client, fault, true);
    tokio::try_join!(there, back).map(drop)
}

async fn pipe(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut fault: watch::Receiver<Fault>,
    is_answer: bool,
) -> Result<(), Cut> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            refusing = fault.wait_for(|fault| *fault == Fault::Refuse) => {
                drop(refusing);
                return Err(Cut);
            }
        };
        let length = read.map_err(|_| Cut)?;
        let now = *fault.wait_for(|fault| *fault != Fault::Stall).await.map_err(|_| Cut)?;
        if now == Fault::Refuse || (now == Fault::CutAnswers && is_answer) {
            return Err(Cut);
        }
        if length == 0 {
            return to.shutdown().await.map_err(|_| Cut);
        }
        let bytes = buffer.get(..length).ok_or(Cut)?;
        to.write_all(bytes).await.map_err(|_| Cut)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers each line with itself.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        address
    }

    async fn ask(stream: &mut TcpStream) -> io::Result<[u8; 4]> {
        stream.write_all(b"ping").await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    async fn connected(proxy: &Proxy) -> TcpStream {
        TcpStream::connect(proxy.address).await.unwrap()
    }

    #[tokio::test]
    async fn without_a_fault_everything_goes_through() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut stream = connected(&proxy).await;
        assert_eq!(&ask(&mut stream).await.unwrap(), b"ping");
        assert_eq!(&ask(&mut stream).await.unwrap(), b"ping");
    }

    #[tokio::test]
    async fn a_long_answer_arrives_whole_when_the_server_closes_at_once() {
        const LENGTH: usize = 8 << 20;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Proxy::before(listener.local_addr().unwrap()).await.unwrap();
        let mut client = connected(&proxy).await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(&vec![7; LENGTH]).await.unwrap();
        });
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert_eq!(answer.len(), LENGTH);
        server.await.unwrap();
    }

    #[tokio::test]
    async fn refused_connections_are_reset_and_open_ones_cut() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut open = connected(&proxy).await;
        ask(&mut open).await.unwrap();
        proxy.set(Fault::Refuse);
        assert!(open.read_u8().await.is_err());
        assert!(ask(&mut connected(&proxy).await).await.is_err());
        proxy.set(Fault::None);
        assert!(ask(&mut connected(&proxy).await).await.is_ok());
    }

    #[tokio::test]
    async fn a_stalled_request_is_answered_when_the_fault_is_over() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let mut open = connected(&proxy).await;
        ask(&mut open).await.unwrap();
        proxy.set(Fault::Stall);
        let mut new = connected(&proxy).await;
        let mut both = Box::pin(async { (ask(&mut open).await, ask(&mut new).await) });
        let early = tokio::time::timeout(Duration::from_millis(50), &mut both).await;
        assert!(early.is_err(), "{early:?}");
        proxy.set(Fault::None);
        let (open, new) = both.await;
        assert_eq!((&open.unwrap(), &new.unwrap()), (b"ping", b"ping"));
    }

    #[tokio::test]
    async fn a_fault_ends_with_whoever_wanted_it() {
        let proxy = Proxy::before(echo().await).await.unwrap();
        let hour = proxy.disturb(Fault::Refuse, Duration::from_secs(3600));
        assert!(tokio::time::timeout(Duration::from_millis(1), hour).await.is_err());
        assert!(ask(&mut connected(&proxy).await).await.is_ok());
    }

    #[tokio::test]
    async fn a_request_whose_answer_is_cut_still_arrives() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let proxy = Proxy::before(listener.local_addr().unwrap()).await.unwrap();
        proxy.set(Fault::CutAnswers);
        let mut client = connected(&proxy).await;
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            stream.write_all(b"done").await.unwrap();
            request
        });
        assert!(ask(&mut client).await.is_err());
        assert_eq!(&server.await.unwrap(), b"ping");
    }
}
