using System.Runtime.CompilerServices;

namespace EventBus.Transports;

/// <summary>Provides methods to wait for tasks: quietly, with a timeout, on the thread pool.</summary>
public static class BackendTasks
{
    /// <summary>Waits until a task has ended, in whatever way, without throwing its exception.</summary>
    /// <param name="task">The task. Its exception counts as observed.</param>
    public static ConfiguredTaskAwaitable Quietly(this Task task)
    {
        ArgumentNullException.ThrowIfNull(task);
        return task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    /// <summary>
    /// Observes an exception of a task that may be abandoned, so that it does not become an unobserved task exception
    /// of the process. Code that awaits the task still gets the exception.
    /// </summary>
    /// <typeparam name="TTask">The type of the task.</typeparam>
    /// <param name="task">The task.</param>
    public static TTask Observed<TTask>(this TTask task)
        where TTask : Task
    {
        ArgumentNullException.ThrowIfNull(task);
        task.ContinueWith(
            static ended => _ = ended.Exception,
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously,
            TaskScheduler.Default);
        return task;
    }

    /// <summary>Continues on the thread pool, without the synchronization context of the caller.</summary>
    /// <returns>An awaitable that never completes synchronously.</returns>
    public static ConfiguredTaskAwaitable SwitchToThreadPool() => Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);

    /// <summary>Creates a token source that is cancelled after a timeout, or when this token is cancelled.</summary>
    /// <param name="cancellationToken">The token of the caller.</param>
    /// <param name="timeout">The timeout; <see cref="Timeout.InfiniteTimeSpan"/> for none.</param>
    /// <param name="time">The clock of the timeout.</param>
    /// <returns>The token source. Dispose it when the work under its token has ended.</returns>
    public static CancellationTokenSource WithTimeout(this CancellationToken cancellationToken, TimeSpan timeout, TimeProvider time) =>
        new TimeoutSource(timeout, time, cancellationToken);
}
