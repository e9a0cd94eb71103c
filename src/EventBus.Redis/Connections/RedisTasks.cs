namespace EventBus;

/// <summary>Provides helpers for calls that are no longer awaited when a receiver closes.</summary>
internal static class RedisTasks
{
    /// <summary>
    /// Observes an error that occurs when the task is no longer awaited, so that it does not become an unobserved
    /// exception of the process. A caller that awaits the task still gets the exception.
    /// </summary>
    public static TTask Observed<TTask>(this TTask task)
        where TTask : Task
    {
        task.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }
}
