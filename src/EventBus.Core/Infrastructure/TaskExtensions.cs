namespace EventBus;

/// <summary>What tasks need that may be left behind.</summary>
internal static class TaskExtensions
{
    /// <summary>
    /// Takes note of an error that comes when nothing waits for the task any more, so that it is no unobserved
    /// exception of the process. Whoever waits for it still gets it.
    /// </summary>
    public static TTask Observed<TTask>(this TTask task)
        where TTask : Task
    {
        task.ContinueWith(static ended => _ = ended.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted | TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        return task;
    }
}
