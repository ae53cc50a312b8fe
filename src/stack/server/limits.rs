//! What one client, and all of them together, may take of the server.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::stack::client_network::ClientNetwork;

/// Sizes are `stack::routes`' matter; these are numbers and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address (IPv6: one network of 64 bits). Behind a proxy all come from the proxy, so
    /// there it does not count.
    pub connections_per_client: usize,
    /// Bytes of bodies at once, whole or not, until their requests are answered.
    pub body_bytes: usize,
    /// Bytes of bodies at once from one client.
    pub body_bytes_per_client: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// Without a request on a connection, and for the head of one.
    pub idle: Duration,
    /// For the body of a request.
    pub body: Duration,
    /// For the answer to a request, once it was read, until its client gets it.
    pub answer: Duration,
    /// Without the client taking any of the answer.
    pub stalled: Duration,
    /// For requests that are under way when the server is told to stop.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Below 1,024, the usual number of open files, with room for the logs.
            connections: 800,
            connections_per_client: 400,
            // Sixteen of the largest.
            body_bytes: 64 << 20,
            body_bytes_per_client: 32 << 20,
            handshake: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            body: Duration::from_secs(30),
            answer: Duration::from_secs(120),
            stalled: Duration::from_secs(30),
            grace: Duration::from_secs(10),
        }
    }
}

/// Counts connections by client.
#[derive(Debug, Default)]
pub(super) struct ClientPlaces(Mutex<HashMap<ClientNetwork, usize>>);

/// One connection of a client; gives the place back.
#[derive(Debug)]
pub(super) struct ClientPlace {
    places: Arc<ClientPlaces>,
    client: ClientNetwork,
}

impl ClientPlaces {
    /// `None` when the client has `most` already.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr, most: usize) -> Option<ClientPlace> {
        let client = ClientNetwork::of(client);
        let mut taken = self.lock();
        let count = taken.entry(client).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(ClientPlace { places: Arc::clone(self), client })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientNetwork, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(count) = taken.get_mut(&self.client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.client);
            }
        }
    }
}

/// More than any client sends, and twice that.
pub(super) const MAX_HEADERS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_so_many_places_and_gives_them_back() {
        let places = Arc::new(ClientPlaces::default());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = places.take(address("2001:db8::1"), 2).unwrap();
        let _second = places.take(address("2001:db8::2"), 2).unwrap();
        assert!(places.take(address("2001:db8::3"), 2).is_none(), "one network");
        assert!(places.take(address("192.0.2.1"), 2).is_some());
        drop(first);
        assert!(places.take(address("2001:db8::3"), 2).is_some());
        assert_eq!(places.lock().len(), 1, "nobody is remembered who is gone");
    }
}
