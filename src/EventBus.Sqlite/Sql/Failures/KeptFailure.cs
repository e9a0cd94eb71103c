using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>A kept entry with its place.</summary>
internal readonly record struct KeptFailure(long Seq, long Turn, FailedEvent Event)
{
    public const string Columns =
        """
        f.seq, f.turn, c.attributes, c.body, c.history, f.event_id, f.event_name, f.subscription, f.status, f.claim, f.due_at, f.deadline, f.line_key, f.order_key, f.position,
        f.starts, f.accompanied, f.replays, f.reason, f.number, f.alert_at, f.first_failed_at, f.last_failed_at, f.error, c.error_details
        """;

    /// <summary>Entries by a condition, which ends with the order and the limit.</summary>
    public static string Select(string prefix, string which) => $"SELECT {Columns} FROM {prefix}failures f LEFT JOIN {prefix}failure_contents c ON c.seq = f.seq WHERE {which}";

    /// <summary>The same without what is kept apart, which is what most pages hold.</summary>
    public static string SelectBare(string prefix, string which) => $"SELECT {Columns} FROM {prefix}failures f LEFT JOIN {prefix}failure_contents c ON 1 = 0 WHERE {which}";

    /// <summary>Entries by a condition, to be read whatever is damaged.</summary>
    public static SqlRows Rows(string prefix, string which) =>
        new(Select(prefix, which), $"SELECT f.seq FROM {prefix}failures f WHERE {which}", Select(prefix, "f.seq = @row"), SelectBare(prefix, "f.seq = @row"));

    /// <summary>Reads an entry; one that cannot be read is a placeholder.</summary>
    public static KeptFailure Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var (seq, turn) = (row.Number(), row.NumberOrNull() ?? 0);
        var (attributes, body, history) = (row.Bytes(), row.Bytes(), row.Bytes());
        var (id, name) = (row.Text(), row.Text());

        // In the order of the columns; the event comes last, when it is known whether all could be read.
        return new KeptFailure(seq, turn, new FailedEvent
        {
            Subscription = row.Text(),
            Status = row.Choice(FailedEventStatus.Waiting),
            Claim = row.Number(),
            DueAt = row.Time(),
            Deadline = row.TimeOrNull(),
            LineKey = row.TextOrNull(),
            OrderKey = row.TextOrNull(),
            Position = row.NumberOrNull(),
            Attempts = row.Count(),
            Concurrent = row.Count(),
            ManualRetries = row.Count(),
            Reason = row.Choice(DeadLetterReason.Unreadable),
            Number = row.Number(),
            NeedsAlert = row.NumberOrNull() is not null,
            FirstFailedAt = row.Time(),
            LastFailedAt = row.Time(),
            Error = row.TextOrNull(),
            ErrorDetails = row.TextOrNull(),
            History = StoreFormat.ReadHistory(history),
            Envelope = SqlEnvelope.Read(attributes, body, id, name, row.Defect),
        });
    }
}
