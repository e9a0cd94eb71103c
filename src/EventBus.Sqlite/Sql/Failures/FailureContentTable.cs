using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Stores the large parts of the failed events in a table of their own, so that a claim writes little. Each method runs
/// inside a step that the writer has queued (<see cref="SqlOperation"/>).
/// </summary>
internal sealed class FailureContentTable(string prefix)
{
    private readonly string insert =
        $"INSERT INTO {prefix}failure_contents (seq, attributes, body, history, error_details) VALUES (@seq, @attributes, @body, "
            + "@history, @details)";

    private readonly string update =
        $"UPDATE {prefix}failure_contents SET attributes = @attributes, body = @body, history = @history, error_details = @details WHERE "
            + "seq = @seq";

    private readonly string remove = $"DELETE FROM {prefix}failure_contents WHERE seq = @seq";

    public async ValueTask InsertAsync(SqlSession session, long seq, FailedEvent entry, FailureContents contents) =>
        await Prepare(session, insert, seq, entry, contents).ExecuteAsync();

    public async ValueTask UpdateAsync(SqlSession session, long seq, FailedEvent entry, FailureContents contents) =>
        await Prepare(session, update, seq, entry, contents).ExecuteAsync();

    public async ValueTask RemoveAsync(SqlSession session, long seq) => await session.Prepare(remove).Set("@seq", seq).ExecuteAsync();

    private static SqlStatement Prepare(SqlSession session, string sql, long seq, FailedEvent entry, FailureContents contents) =>
        session.Prepare(sql)
            .Set("@seq", seq)
            .Set("@attributes", contents.Attributes)
            .Set("@body", contents.Body)
            .Set("@history", contents.History)
            .Set("@details", entry.ErrorDetails);
}
