using System.Threading.Channels;

namespace EventBus;

/// <summary>
/// Reads from the database on two connections, each with a thread of its own, concurrently with the writer.
/// </summary>
/// <param name="open">Opens a connection that reads.</param>
/// <param name="mustReopenAsync">
/// Returns true if a session must be closed because its file is no longer the file at its path.
/// </param>
/// <param name="explain">Converts an error of the database into an exception that says what to do.</param>
internal sealed class SqlReaders(
    Func<ValueTask<SqlSession>> open,
    Func<SqlSession, ValueTask<bool>> mustReopenAsync,
    Func<Exception, Exception> explain)
{
    private const int Count = 2;
    private const int MaxWaiting = 1_024;

    private readonly Channel<SqlOperation> queue = Channel.CreateBounded<SqlOperation>(MaxWaiting);
    private Task[] loops = [];

    public void Start() =>
        loops = [.. Enumerable.Range(1, Count).Select(number => SqlThread.RunAsync($"EventBus SQL reader {number}", LoopAsync))];

    public async ValueTask<T> RunAsync<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken)
    {
        var operation = new SqlOperation<T>(step, cancellationToken);
        await queue.Writer.WriteAsync(operation, cancellationToken);
        return await operation.WaitAsync();
    }

    /// <summary>Completes the queued reads, then closes the connections.</summary>
    public async ValueTask CloseAsync()
    {
        queue.Writer.TryComplete();
        await Task.WhenAll(loops);
    }

    private async Task LoopAsync()
    {
        SqlSession? session = null;
        await foreach (var operation in queue.Reader.ReadAllAsync())
        {
            if (!operation.TryStart())
            {
                continue;
            }

            try
            {
                if (session is not null && await mustReopenAsync(session))
                {
                    await CloseAsync(session);
                    session = null;
                }

                session ??= await open();
                await operation.RunAsync(session);
                operation.Complete();
            }
            catch (Exception exception)
            {
                operation.Fail(explain(exception));

                // The error may have damaged the connection. The next read opens another one.
                await CloseAsync(session);
                session = null;
            }
        }

        await CloseAsync(session);
    }

    private static ValueTask CloseAsync(SqlSession? session) => session?.DisposeAsync() ?? ValueTask.CompletedTask;
}
