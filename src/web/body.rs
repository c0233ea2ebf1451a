//! The bodies of requests on their way in. actix-web waits for a slow one for ever, and goes on reading an endless chunked
//! one that its handler has turned away: here it has its time and its size, and a connection whose body nobody wants any
//! more is closed.

use std::cell::RefCell;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::{ConnectionType, StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpResponse};
use futures_util::Stream;
use tokio::time::Sleep;

/// A body that is on its way, shared by the handler that reads it and whoever watches over it.
#[derive(Clone)]
pub struct Arriving(Rc<RefCell<Coming>>);

struct Coming {
    payload: Payload,
    until: Pin<Box<Sleep>>,
    /// Bytes that it may still have.
    room: usize,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Coming,
    Ended,
    Late,
    TooLarge,
}

/// Gives the body of a request, if it has one, so long to arrive and so many bytes to have.
pub fn watch(request: &mut ServiceRequest, within: Duration, largest: usize) -> Option<Arriving> {
    let headers = request.headers();
    let none = headers
        .get(header::CONTENT_LENGTH)
        .is_none_or(|length| length.as_bytes() == b"0");
    if none && !headers.contains_key(header::TRANSFER_ENCODING) {
        return None;
    }
    let arriving = Arriving(Rc::new(RefCell::new(Coming {
        payload: request.take_payload(),
        until: Box::pin(tokio::time::sleep(within)),
        room: largest,
        state: State::Coming,
    })));
    request.set_payload(Payload::Stream {
        payload: Box::pin(arriving.clone()),
    });
    Some(arriving)
}

impl Arriving {
    /// What is wrong with it as far as it has come, and the name of the guard that says so.
    pub fn fault(&self) -> Option<(&'static str, StatusCode)> {
        match self.0.borrow().state {
            State::Coming | State::Ended => None,
            State::Late => Some(("body_deadline", StatusCode::REQUEST_TIMEOUT)),
            State::TooLarge => Some(("shape", StatusCode::PAYLOAD_TOO_LARGE)),
        }
    }

    /// The answer, after which nothing more is read from a connection on which some of the body is still to come. Whoever
    /// lets go of a chunked body before its answer is sent makes actix-web read on to its end, which may never come.
    pub fn closing<B: MessageBody + 'static>(
        self,
        response: ServiceResponse<EitherBody<B>>,
    ) -> ServiceResponse<EitherBody<B>> {
        if self.0.borrow().state == State::Ended {
            return response;
        }
        let mut response = response
            .map_into_boxed_body()
            .map_body(|_, answer| self.held(answer))
            .map_into_right_body();
        close(response.response_mut());
        response
    }

    /// The body of an answer that is given before the request's own has come.
    pub fn held(self, answer: BoxBody) -> BoxBody {
        BoxBody::new(Held {
            answer,
            _request: self,
        })
    }
}

/// Has the connection closed behind this answer.
pub fn close<B>(answer: &mut HttpResponse<B>) {
    answer.head_mut().set_connection_type(ConnectionType::Close);
}

impl Stream for Arriving {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let coming = &mut *self.0.borrow_mut();
        match Pin::new(&mut coming.payload).poll_next(context) {
            Poll::Ready(Some(Ok(chunk))) => match coming.room.checked_sub(chunk.len()) {
                Some(room) => {
                    coming.room = room;
                    Poll::Ready(Some(Ok(chunk)))
                }
                None => {
                    coming.state = State::TooLarge;
                    Poll::Ready(Some(Err(PayloadError::Overflow)))
                }
            },
            Poll::Ready(None) => {
                coming.state = State::Ended;
                Poll::Ready(None)
            }
            Poll::Pending if coming.until.as_mut().poll(context).is_ready() => {
                coming.state = State::Late;
                let late = std::io::Error::from(ErrorKind::TimedOut);
                Poll::Ready(Some(Err(PayloadError::Io(late))))
            }
            as_it_is => as_it_is,
        }
    }
}

/// An answer, and the request's body, which is kept until the answer is sent.
struct Held {
    answer: BoxBody,
    _request: Arriving,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(context)
    }
}
