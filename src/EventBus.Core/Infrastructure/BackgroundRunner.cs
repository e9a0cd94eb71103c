using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Starts the background loops of a bus and logs their failures.</summary>
internal sealed class BackgroundRunner(CallerContext caller, ILogger log)
{
    /// <summary>Distinguishes calls by the loops of the bus from calls by the application.</summary>
    public CallerContext Caller => caller;

    /// <summary>
    /// Runs a loop on the thread pool, without a synchronization context and without the caller's trace, log scopes and
    /// other ambient values. The caller must keep the returned task.
    /// </summary>
    public Task Start(string name, Func<Task> loop)
    {
        if (ExecutionContext.IsFlowSuppressed())
        {
            return GuardAsync(name, loop);
        }

        using (ExecutionContext.SuppressFlow())
        {
            return GuardAsync(name, loop);
        }
    }

    /// <summary>
    /// Observes the task of a handler call or a loop that the caller does not await. The task must not fail; a failure
    /// is logged.
    /// </summary>
    public void Observe(Task task) => _ = ObserveAsync(task);

    private async Task GuardAsync(string name, Func<Task> loop)
    {
        await BackendTasks.SwitchToThreadPool();
        caller.MarkHandler();
        try
        {
            await loop();
        }
        catch (OperationCanceledException)
        {
            // The normal end of a loop.
        }
        catch (Exception exception)
        {
            log.LoopEnded(name, exception);
        }
    }

    private async Task ObserveAsync(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception exception)
        {
            log.LoopEnded("a handler call", exception);
        }
    }
}
