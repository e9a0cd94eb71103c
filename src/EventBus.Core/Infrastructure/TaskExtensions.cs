namespace EventBus;

/// <summary>Provides extension methods for tasks that may be abandoned.</summary>
internal static class TaskExtensions
{
    /// <summary>
    /// Observes an exception of a task that is no longer awaited, so that it does not become an unobserved task
    /// exception of the process. Code that awaits the task still gets the exception.
    /// </summary>
    public static TTask Observed<TTask>(this TTask task)
        where TTask : Task
    {
        task.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }
}
