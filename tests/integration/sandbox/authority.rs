//! Certificates for TLS, and a server that has one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate authority for TLS, with its certificate in a file.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(file: &Path) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = DistinguishedName::new();
        // Two of the same name would be tried for one another.
        params.distinguished_name.push(DnType::CommonName, file.file_name().unwrap().to_str().unwrap());
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(file, authority.pem()).unwrap();
        Self(authority)
    }

    /// Certificate and key for `name`, in PEM.
    pub(crate) fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server called `name` that hands what comes over TLS to `stack`. Returns its address.
    pub(crate) fn front(&self, stack: &str, name: &str) -> String {
        let (certificate, key) = self.certify(name);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let stack = stack.strip_prefix("http://").unwrap().to_owned();
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (config, stack) = (Arc::clone(&config), stack.clone());
                std::thread::spawn(move || {
                    let connection = ServerConnection::new(config).unwrap();
                    serve(StreamOwned::new(connection, stream.unwrap()), &stack);
                });
            }
        });
        address
    }
}

/// One request, with the host that the stack expects.
fn serve(mut tls: StreamOwned<ServerConnection, TcpStream>, stack: &str) {
    let mut reader = BufReader::new(&mut tls);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        // Whoever does not trust the certificate says no more.
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let lower = line.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(if lower.starts_with("host: ") { "" } else { &line });
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut stream = TcpStream::connect(stack).unwrap();
    stream.write_all(format!("{head}Host: {stack}\r\nConnection: close\r\n\r\n").as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    tls.write_all(&answer).unwrap();
    tls.conn.send_close_notify();
    drop(tls.flush());
}
