using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Runs the SQL statements that claim failed events, and that renew and count the claims. Each method runs inside a
/// step that the writer or a reader has queued (<see cref="SqlOperation"/>). <see cref="FailureTable"/> lists the
/// meanings of the columns.
/// </summary>
internal sealed class FailureClaims(string prefix)
{
    private const int Waiting = (int)FailedEventStatus.Waiting;
    private const int Parked = (int)FailedEventStatus.Parked;

    // The condition, the order and the limit of a claim.
    private const string DueClause =
        "f.app = @app AND f.subscription = @subscription AND f.turn <= @now ORDER BY f.turn, f.seq LIMIT @max";

    private readonly SqlCounters counters = new(prefix);

    private readonly string selectDue = KeptFailure.Select(prefix, DueClause);

    private readonly string selectDueWithoutContents = KeptFailure.SelectWithoutContents(prefix, DueClause);

    private readonly SqlRows selectOne = KeptFailure.Rows(prefix, "f.seq = @seq");

    // A claim counts an attempt, unless it takes over an expired claim, whose attempt was counted already. A parked
    // entry that is claimed is the first of its line, so from then on it waits only for its own retries.
    private readonly string claim = $"UPDATE {prefix}failures SET status = CASE WHEN status = {Parked} THEN {Waiting} ELSE status END, "
        + "claim = @claim, turn = @until, starts = starts + CASE WHEN claim = 0 THEN 1 ELSE 0 END WHERE seq = @seq";

    private readonly string begin = $"UPDATE {prefix}failures SET starts = @starts, accompanied = @accompanied WHERE app = @app AND "
        + "subscription = @subscription AND event_id = @event AND claim = @claim";

    private readonly string nextTurn =
        $"SELECT turn FROM {prefix}failures WHERE app = @app AND subscription = @subscription AND turn IS NOT NULL ORDER BY turn LIMIT 1";

    private readonly string renew = $"UPDATE {prefix}failures SET turn = @until WHERE app = @app AND subscription = @subscription AND "
        + "event_id = @event AND claim = @claim";

    // Joins by subscription, so that the index finds the due entries without reading the others.
    private readonly string countDue =
        $"""
        SELECT count(*) FROM (SELECT DISTINCT subscription FROM {prefix}failure_counts WHERE app = @app) s
        JOIN {prefix}failures f ON f.app = @app AND f.subscription = s.subscription AND f.turn <= @now AND f.claim = 0
        """;

    private readonly string countClaimed = $"SELECT count(*) FROM {prefix}failures WHERE app = @app AND claim <> 0";

    /// <summary>
    /// Claims the due entries of subscriptions, each with a new number and a lease until <paramref name="until"/>.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="subscriptions">The names of the subscriptions.</param>
    /// <param name="now">The current time.</param>
    /// <param name="until">The end of the lease.</param>
    /// <param name="max">The maximum number of entries of a subscription.</param>
    /// <param name="skipContents">
    /// True to read the entries without their large parts, because a part of the file is damaged.
    /// </param>
    /// <returns>
    /// The claimed entries, and the time at which the next entry may be claimed or the next lease ends; null if there
    /// is none.
    /// </returns>
    public async ValueTask<(List<KeptFailure> Due, long? Next)> ClaimAsync(
        SqlSession session,
        IReadOnlyCollection<string> subscriptions,
        DateTimeOffset now,
        DateTimeOffset until,
        int max,
        bool skipContents)
    {
        var due = new List<KeptFailure>();
        long? next = null;
        foreach (var subscription in subscriptions)
        {
            due.AddRange(await ClaimAsync(session, subscription, now, until, max, skipContents));
            var turn = await session.Prepare(nextTurn).Set("@subscription", subscription).NumberAsync();
            if (next is null || turn < next)
            {
                next = turn;
            }
        }

        return (due, next);
    }

    /// <summary>
    /// Adds the large parts to an entry that was read without them. If they are damaged, the event of the entry remains
    /// a placeholder with a defect.
    /// </summary>
    public async ValueTask<KeptFailure> AddContentsAsync(SqlSession session, KeptFailure entry)
    {
        var rows = await selectOne.ListAsync(session, statement => statement.Set("@seq", entry.Seq), KeptFailure.Read);

        // If the row was removed since the claim, the entry stays as it is.
        var stored = rows.FirstOrDefault(entry).Event;
        var complete = entry.Event with { Envelope = stored.Envelope, History = stored.History, ErrorDetails = stored.ErrorDetails };
        return entry with { Event = complete };
    }

    /// <summary>Updates the attempt counts of a claimed entry. Returns false if the claim was lost.</summary>
    public async ValueTask<bool> BeginAsync(SqlSession session, FailedEvent entry) =>
        await session.Prepare(begin)
            .Set("@subscription", entry.Subscription)
            .Set("@event", entry.Envelope.Id)
            .Set("@claim", entry.Claim)
            .Set("@starts", entry.Attempts)
            .Set("@accompanied", entry.Concurrent)
            .ExecuteAsync() > 0;

    /// <summary>Renews the lease of a claimed entry. Returns false if the claim was lost.</summary>
    public async ValueTask<bool> RenewAsync(SqlSession session, FailedEvent entry, DateTimeOffset until) =>
        await session.Prepare(renew)
            .Set("@subscription", entry.Subscription)
            .Set("@event", entry.Envelope.Id)
            .Set("@claim", entry.Claim)
            .Set("@until", until)
            .ExecuteAsync() > 0;

    /// <summary>Counts the entries that are due or claimed.</summary>
    public async ValueTask<long> CountDueAsync(SqlSession session, DateTimeOffset now) =>
        (await session.Prepare(countDue).Set("@now", now).NumberAsync() ?? 0)
            + (await session.Prepare(countClaimed).NumberAsync() ?? 0);

    private async ValueTask<List<KeptFailure>> ClaimAsync(
        SqlSession session,
        string subscription,
        DateTimeOffset now,
        DateTimeOffset until,
        int max,
        bool skipContents)
    {
        var found = await session.Prepare(skipContents ? selectDueWithoutContents : selectDue)
            .Set("@subscription", subscription)
            .Set("@now", now)
            .Set("@max", max)
            .ListAsync(KeptFailure.Read);
        for (var i = 0; i < found.Count; i++)
        {
            var claimNumber = await counters.NextAsync(session, SqlSchema.ClaimNumber);
            await session.Prepare(claim).Set("@seq", found[i].Seq).Set("@claim", claimNumber).Set("@until", until).ExecuteAsync();
            found[i] = found[i].WithClaim(claimNumber);
        }

        return found;
    }
}
