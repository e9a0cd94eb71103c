using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Starts the loops of a bus, so that none is forgotten and none fails in silence.</summary>
internal sealed class BackgroundRunner(ILogger log)
{
    /// <summary>
    /// Runs a loop on the pool, outside any synchronization context and without the starter's trace, log scopes and
    /// other ambient values. The task is the caller's to keep.
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
    /// Takes a task whose end somebody else waits for in another way. It cannot fail: what it runs settles every
    /// outcome.
    /// </summary>
    public void Observe(Task task) => _ = ObserveAsync(task);

    private async Task GuardAsync(string name, Func<Task> loop)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        try
        {
            await loop();
        }
        catch (OperationCanceledException)
        {
            // The way in which a loop ends.
        }
        catch (Exception exception)
        {
            log.LoopDied(name, exception);
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
            log.LoopDied("a handler call", exception);
        }
    }
}
