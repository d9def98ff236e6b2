//! Records off one partition's queue, many at a time.
//!
//! One at a time, as the safe wrapper has them, each costs several looks at the clock, an event around it and what
//! belongs to committing. Stands between the library and [`reader`](super::reader). The rule it protects: records, the
//! end of the log and what a fetch fails with come out of the queue in their order. What concerns the client as a whole
//! is polled for as ever; that a topic is gone or not allowed any more, the library tells nobody who takes many at a
//! time, so that the reader asks.
#![expect(
    unsafe_code,
    reason = "the safe wrapper takes one message at a time; this is the only place where the library is called past it"
)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;
use std::time::Duration;

use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_header_get_all, rd_kafka_message_destroy,
    rd_kafka_message_headers, rd_kafka_message_t, rd_kafka_message_timestamp,
    rd_kafka_queue_destroy, rd_kafka_queue_forward, rd_kafka_queue_get_partition, rd_kafka_queue_t,
    rd_kafka_timestamp_type_t,
};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError as Cause;
use rdkafka::types::RDKafkaRespErr;

use super::Record;
use super::talk::Consumer;

/// Records that are taken at a time. They are in memory already.
const MOST: usize = 256;

/// The queue of one partition of a consumer, which leads nowhere else from the first time on that it was asked for.
pub(super) struct PartitionQueue<'c> {
    queue: NonNull<rd_kafka_queue_t>,
    /// What was taken last; the first `taken` of them are there.
    messages: Box<[*mut rd_kafka_message_t; MOST]>,
    taken: usize,
    topic: &'c str,
    /// The library's queue belongs to the consumer.
    consumer: PhantomData<&'c Consumer>,
}

impl<'c> PartitionQueue<'c> {
    /// To be asked for before the partition is assigned; what is assigned again later comes out of the same queue.
    /// `None` if no topic can have this name.
    pub(super) fn of(
        consumer: &'c Consumer,
        topic: &'c str,
        partition: i32,
    ) -> Option<PartitionQueue<'c>> {
        let name = CString::new(topic).ok()?;
        let client = consumer.client().native_ptr();
        // SAFETY: the client lives as long as `consumer`, the name for the call.
        let queue = unsafe { rd_kafka_queue_get_partition(client, name.as_ptr(), partition) };
        let queue = NonNull::new(queue)?;
        // SAFETY: the queue was made above and is destroyed in `drop` only; no destination is allowed.
        unsafe { rd_kafka_queue_forward(queue.as_ptr(), ptr::null_mut()) };
        Some(PartitionQueue {
            queue,
            messages: Box::new([ptr::null_mut(); MOST]),
            taken: 0,
            topic,
            consumer: PhantomData,
        })
    }

    /// Lets go of what was taken before, and takes what is there; if nothing is, waits so long for one thing.
    pub(super) fn take(&mut self, wait: Duration) {
        self.let_go();
        self.taken = self.consume(Duration::ZERO, MOST);
        if self.taken == 0 {
            self.taken = self.consume(wait, 1);
        }
    }

    /// What was taken last, in order.
    pub(super) fn taken(&self) -> impl Iterator<Item = Result<Record<'_>, Cause>> {
        self.messages[..self.taken].iter().map(|message| {
            // SAFETY: the library gave it out, and it lives until `let_go`, which needs the queue for itself.
            let message = unsafe { &**message };
            match message.err {
                RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(record(self.topic, message)),
                RDKafkaRespErr::RD_KAFKA_RESP_ERR__PARTITION_EOF => {
                    Err(Cause::PartitionEOF(message.partition))
                }
                error => Err(Cause::MessageConsumption(error.into())),
            }
        })
    }

    /// Lets go of everything, also of what was fetched ahead; to be called once the partition is no longer assigned.
    /// Nobody looks into the queue any more, and it would stay in memory as long as the consumer.
    pub(super) fn empty(mut self) {
        self.let_go();
        loop {
            self.taken = self.consume(Duration::ZERO, MOST);
            if self.taken == 0 {
                return;
            }
            self.let_go();
        }
    }

    fn consume(&mut self, wait: Duration, most: usize) -> usize {
        let wait = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        let room = &mut self.messages[..most];
        // SAFETY: there is room for so many, and none of them is in use (`let_go`).
        let count = unsafe {
            rd_kafka_consume_batch_queue(self.queue.as_ptr(), wait, room.as_mut_ptr(), room.len())
        };
        usize::try_from(count).unwrap_or(0)
    }

    fn let_go(&mut self) {
        for message in &self.messages[..std::mem::take(&mut self.taken)] {
            // SAFETY: each was given out once, and nobody can have a reference to it any more.
            unsafe { rd_kafka_message_destroy(*message) };
        }
    }
}

impl Drop for PartitionQueue<'_> {
    fn drop(&mut self) {
        self.let_go();
        // SAFETY: made in `of`; the consumer outlives it.
        unsafe { rd_kafka_queue_destroy(self.queue.as_ptr()) };
    }
}

fn record<'m>(topic: &'m str, message: &'m rd_kafka_message_t) -> Record<'m> {
    let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    // SAFETY: the message is alive.
    let timestamp = unsafe { rd_kafka_message_timestamp(message, &raw mut kind) };
    let known = kind != rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
    Record {
        topic,
        partition: message.partition,
        offset: message.offset,
        timestamp_ms: Some(timestamp).filter(|timestamp| known && *timestamp != -1),
        key: bytes(message.key, message.key_len, message),
        value: bytes(message.payload, message.len, message),
        headers: headers(message),
    }
}

/// So many bytes of this message; `None` where there is nothing, not even an empty value.
fn bytes(begin: *const c_void, length: usize, _of: &rd_kafka_message_t) -> Option<&[u8]> {
    // SAFETY: the library says that so many bytes are there, and they live as long as the message.
    (!begin.is_null()).then(|| unsafe { slice::from_raw_parts(begin.cast(), length) })
}

fn headers(message: &rd_kafka_message_t) -> Vec<(&str, Option<&[u8]>)> {
    let mut list = ptr::null_mut();
    let mut headers = Vec::new();
    // SAFETY: the message is alive; the list belongs to it.
    let found = unsafe { rd_kafka_message_headers(message, &raw mut list) };
    if found != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
        return headers;
    }
    loop {
        let (mut name, mut value, mut length): (*const c_char, _, _) =
            (ptr::null(), ptr::null(), 0);
        // SAFETY: the list is alive; beyond its end the call only says so.
        let more = unsafe {
            let place = headers.len();
            rd_kafka_header_get_all(list, place, &raw mut name, &raw mut value, &raw mut length)
        };
        if more != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return headers;
        }
        // SAFETY: a name ends with a zero, and lives as long as the message.
        let name = unsafe { CStr::from_ptr(name) };
        // No header that means anything to us has such a name.
        let name = name.to_str().unwrap_or("\u{FFFD}");
        headers.push((name, bytes(value, length, message)));
    }
}
