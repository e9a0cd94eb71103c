using System.Runtime.CompilerServices;

namespace EventBus.Transports;

/// <summary>Provides extension methods for tasks whose errors are handled elsewhere.</summary>
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
}
