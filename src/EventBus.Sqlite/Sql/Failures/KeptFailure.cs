using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// A failed event as it is stored. <see cref="FailureTable"/> lists which column stores which member.
/// </summary>
/// <param name="Seq">The number of the row.</param>
/// <param name="Turn">
/// The time at which the entry may be claimed, in UTC ticks, by which due entries are sorted. 0 also for an entry that
/// must not be claimed, whose column is NULL.
/// </param>
/// <param name="Event">The event and its failures.</param>
internal readonly record struct KeptFailure(long Seq, long Turn, FailedEvent Event)
{
    public const string Columns =
        """
        f.seq, f.turn, c.attributes, c.body, c.history, f.event_id, f.event_name, f.subscription, f.status, f.claim, f.due_at,
        f.deadline, f.line_key, f.order_key, f.position,
        f.starts, f.accompanied, f.replays, f.reason, f.number, f.alert_at, f.first_failed_at, f.last_failed_at, f.error, f.error_type,
        c.error_details
        """;

    /// <summary>
    /// Returns the statement that selects entries by a condition. The condition ends with the order and the limit.
    /// </summary>
    public static string Select(string prefix, string condition) =>
        $"SELECT {Columns} FROM {prefix}failures f LEFT JOIN {prefix}failure_contents c ON c.seq = f.seq WHERE {condition}";

    /// <summary>
    /// Returns a statement for rows whose contents are damaged. It selects the same columns, but those of the contents
    /// table are NULL and not read, because the condition of the join is never true.
    /// </summary>
    public static string SelectWithoutContents(string prefix, string condition) =>
        $"SELECT {Columns} FROM {prefix}failures f LEFT JOIN {prefix}failure_contents c ON 1 = 0 WHERE {condition}";

    /// <summary>Returns the statements that select entries by a condition even if some rows are damaged.</summary>
    public static SqlRows Rows(string prefix, string condition) =>
        new(
            Select(prefix, condition),
            $"SELECT f.seq FROM {prefix}failures f WHERE {condition}",
            Select(prefix, "f.seq = @row"),
            SelectWithoutContents(prefix, "f.seq = @row"));

    /// <summary>
    /// Returns the entry with the changes that the claim statement of <see cref="FailureClaims"/> makes.
    /// </summary>
    public KeptFailure WithClaim(long claimNumber)
    {
        var isTakeover = Event.Claim != 0;
        var claimed = Event with
        {
            Status = Event.Status == FailedEventStatus.Parked ? FailedEventStatus.Waiting : Event.Status,
            Attempts = isTakeover ? Event.Attempts : Event.Attempts + 1,
            WasInterrupted = isTakeover,
            Claim = claimNumber,
        };
        return this with { Event = claimed };
    }

    /// <summary>Reads an entry; returns a placeholder if it cannot be read.</summary>
    public static KeptFailure Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);

        // The columns are read in the order of Columns, also by the initializers. The envelope is created last, because
        // only then it is known whether every column could be read.
        var seq = row.Number();
        var turn = row.NumberOrNull() ?? 0;
        var attributes = row.Bytes();
        var body = row.Bytes();
        var history = row.Bytes();
        var id = row.Text();
        var name = row.Text();
        return new KeptFailure(seq, turn, new FailedEvent
        {
            Subscription = row.Text(),
            Status = row.EnumOr(FailedEventStatus.Waiting),
            Claim = row.Number(),
            DueAt = row.Time(),
            Deadline = row.TimeOrNull(),
            LineKey = row.TextOrNull(),
            OrderKey = row.TextOrNull(),
            Position = row.NumberOrNull(),
            Attempts = row.NonNegativeInt(),
            Concurrent = row.NonNegativeInt(),
            ManualRetries = row.NonNegativeInt(),
            Reason = row.EnumOr(DeadLetterReason.Unreadable),
            Number = row.Number(),
            NeedsAlert = row.NumberOrNull() is not null,
            FirstFailedAt = row.Time(),
            LastFailedAt = row.Time(),
            Error = row.TextOrNull(),
            ErrorType = row.TextOrNull(),
            ErrorDetails = row.TextOrNull(),
            History = StoreFormat.ReadHistory(history),
            Envelope = SqlEnvelope.Read(attributes, body, id, name, row.Defect),
        });
    }
}
