using EventBus.Stores;
using Microsoft.Data.Sqlite;

namespace EventBus.Sqlite.Tests;

/// <summary>Tests operations that share one transaction, and the result of the others if one of them ends it.</summary>
public sealed class SqlWriterTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>
    /// If others ended the transaction of an operation twice, its failure is a failure of the store and not of the
    /// operation.
    /// </summary>
    [Fact]
    public async Task Operation_GroupedWithTwoThatEndTheTransaction_FailsAsAStoreFailure()
    {
        var writer = new SqlWriter(OpenAsync, _ => null, exception => exception, exception => exception is InvalidDataException);
        var together = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var first = writer.RunAsync(
            async _ =>
            {
                began.SetResult();
                await together.Task;
                return 0;
            },
            Token).AsTask();
        writer.Start(TimeProvider.System);
        await began.Task.WaitAsync(TestStores.Patience, Token);

        var good = writer.RunAsync(_ => ValueTask.FromResult(1), Token).AsTask();
        var bad = new[] { Bad(writer), Bad(writer) };
        together.SetResult();

        var exception = await Assert.ThrowsAsync<StoreRefusedException>(() => good.WaitAsync(TestStores.Patience, Token));
        Assert.Equal(StoreScope.Store, exception.Scope);
        Assert.All(await Task.WhenAll(bad.Select(Record)), error => Assert.IsType<InvalidDataException>(error));
        await first.WaitAsync(TestStores.Patience, Token);
        await writer.CloseAsync();

        static async Task<Exception?> Record(Task<int> step) =>
            await Xunit.Record.ExceptionAsync(() => step.WaitAsync(TestStores.Patience, Token));
    }

    private static Task<int> Bad(SqlWriter writer) =>
        writer.RunAsync<int>(_ => throw new InvalidDataException("a damaged page"), Token).AsTask();

    private static async ValueTask<SqlSession> OpenAsync()
    {
        var connection = new SqliteConnection("Data Source=:memory:");
        await connection.OpenAsync(Token);
        return new SqlSession(connection, 0);
    }
}
