//! Job lease: the right to do a named job until a moment, so that of several nodes one does it. A node that dies loses
//! its lease with time.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::job_leases;
use crate::world::UnixTime;

/// Takes the job until `until`, unless another node has it now or it was done less than `every` seconds ago.
pub fn claim(conn: &mut Conn, name: &str, now: UnixTime, until: UnixTime, every: i64) -> QueryResult<bool> {
    let unheard_of = (
        job_leases::name.eq(name),
        job_leases::locked_until.eq(UnixTime(0)),
        job_leases::done_at.eq(UnixTime(0)),
    );
    crate::on_backend!(&mut *conn, |c| diesel::insert_into(job_leases::table)
        .values(unheard_of)
        .on_conflict_do_nothing()
        .execute(c))?;
    let rows = diesel::update(job_leases::table.find(name))
        .filter(job_leases::locked_until.le(now))
        .filter(job_leases::done_at.le(now.plus(-every)))
        .set(job_leases::locked_until.eq(until))
        .execute(conn)?;
    Ok(rows == 1)
}

/// Writes down that something happened now: a row that changes, so that a disk without room refuses it.
pub fn beat(conn: &mut Conn, name: &str, now: UnixTime) -> QueryResult<()> {
    let row = (
        job_leases::name.eq(name),
        job_leases::locked_until.eq(UnixTime(0)),
        job_leases::done_at.eq(now),
    );
    crate::on_backend!(conn, |c| diesel::insert_into(job_leases::table)
        .values(row)
        .on_conflict(job_leases::name)
        .do_update()
        .set(job_leases::done_at.eq(now))
        .execute(c))
    .map(|_| ())
}

/// Gives the job back, done; `until` is what it was claimed with, so that a lease that ran out gives back nothing.
pub fn done(conn: &mut Conn, name: &str, now: UnixTime, until: UnixTime) -> QueryResult<()> {
    diesel::update(job_leases::table.find(name))
        .filter(job_leases::locked_until.eq(until))
        .set((
            job_leases::locked_until.eq(UnixTime(0)),
            job_leases::done_at.eq(now),
        ))
        .execute(conn)
        .map(|_| ())
}

/// Forgets leases with this prefix that ended before; names such as those of issuers come and go.
pub fn forget(conn: &mut Conn, prefix: &str, before: UnixTime) -> QueryResult<usize> {
    diesel::delete(job_leases::table)
        .filter(job_leases::name.like(format!("{prefix}%")))
        .filter(job_leases::locked_until.lt(before))
        .filter(job_leases::done_at.lt(before))
        .execute(conn)
}
