using System.Collections.Concurrent;

namespace EventBus;

/// <summary>
/// Runs an asynchronous loop on a dedicated thread, for a client that blocks. The code also continues on the thread
/// after each await.
/// </summary>
internal sealed class SqlThread : SynchronizationContext
{
    private readonly BlockingCollection<(SendOrPostCallback Callback, object? State)> work = [];

    private SqlThread()
    {
    }

    /// <summary>Runs an asynchronous loop on a thread of its own. The task completes when the loop has ended.</summary>
    /// <param name="name">The name of the thread, for debuggers.</param>
    /// <param name="loop">The loop to run.</param>
    public static Task RunAsync(string name, Func<Task> loop)
    {
        var context = new SqlThread();
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(() => context.Run(loop, ended)) { IsBackground = true, Name = name }.UnsafeStart();
        return ended.Task;
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        try
        {
            work.Add((d, state));
        }
        catch (InvalidOperationException)
        {
            // The loop has ended: later continuations run on the thread pool.
            base.Post(d, state);
        }
    }

    private void Run(Func<Task> loop, TaskCompletionSource ended)
    {
        SetSynchronizationContext(this);
        _ = RunToEndAsync(loop, ended);
        foreach (var (callback, state) in work.GetConsumingEnumerable())
        {
            callback(state);
        }
    }

    private async Task RunToEndAsync(Func<Task> loop, TaskCompletionSource ended)
    {
        try
        {
            await loop();
            ended.SetResult();
        }
        catch (Exception exception)
        {
            ended.SetException(exception);
        }

        work.CompleteAdding();
    }
}
