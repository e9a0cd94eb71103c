using System.Data.Common;
using EventBus.Stores;

namespace EventBus;

/// <summary>A stored failed event with its row number and its turn.</summary>
internal readonly record struct KeptFailure(long Seq, long Turn, FailedEvent Event)
{
    public const string Columns =
        """
        f.seq, f.turn, c.attributes, c.body, c.history, f.event_id, f.event_name, f.subscription, f.status, f.claim, f.due_at,
        f.deadline, f.line_key, f.order_key, f.position,
        f.starts, f.accompanied, f.replays, f.reason, f.number, f.alert_at, f.first_failed_at, f.last_failed_at, f.error, c.error_details
        """;

    /// <summary>
    /// Returns the statement that selects entries by a condition. The condition ends with the order and the limit.
    /// </summary>
    public static string Select(string prefix, string condition) =>
        $"SELECT {Columns} FROM {prefix}failures f LEFT JOIN {prefix}failure_contents c ON c.seq = f.seq WHERE {condition}";

    /// <summary>
    /// Returns the same statement without the columns of the contents table, which take up most pages of the file: the
    /// join finds no row, so these columns are NULL.
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

    /// <summary>Reads an entry; returns a placeholder if it cannot be read.</summary>
    public static KeptFailure Read(DbDataReader reader)
    {
        var row = new SqlRow(reader);
        var (seq, turn) = (row.Number(), row.NumberOrNull() ?? 0);
        var (attributes, body, history) = (row.Bytes(), row.Bytes(), row.Bytes());
        var (id, name) = (row.Text(), row.Text());

        // The initializers read the columns in the order of Columns. The envelope is created last, because only then is
        // it known if every column could be read.
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
            ErrorDetails = row.TextOrNull(),
            History = StoreFormat.ReadHistory(history),
            Envelope = SqlEnvelope.Read(attributes, body, id, name, row.Defect),
        });
    }
}
