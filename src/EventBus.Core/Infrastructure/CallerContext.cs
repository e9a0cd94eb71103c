namespace EventBus;

/// <summary>
/// Leaves the caller's synchronization context or task scheduler at the entry points of the bus, so that
/// <c>ConfigureAwait</c> is unnecessary everywhere else.
/// </summary>
/// <remarks>
/// The context of a desktop application or a test runner runs every continuation on one thread. If a caller blocked
/// that thread, the bus would need it to continue, and both would wait indefinitely.
/// </remarks>
internal sealed class CallerContext
{
    /// <summary>
    /// The context in which continuations stay, for a program that runs step by step. Null in production.
    /// </summary>
    public SynchronizationContext? Home { get; init; }

    /// <summary>
    /// True if there is no foreign context to leave: an await continues in <see cref="Home"/> or on the thread pool.
    /// </summary>
    public bool IsOpen => SynchronizationContext.Current is { } current ? current == Home : TaskScheduler.Current == TaskScheduler.Default;

    /// <summary>
    /// Runs a call outside of foreign contexts, on the caller's thread up to its first incomplete await, so that calls
    /// keep their order. Exceptions are stored in the task.
    /// </summary>
    public Task EnterAsync(Func<Task> call) => IsOpen ? StartAsync(call) : Outside(() => StartAsync(call));

    /// <summary>
    /// Runs a call outside of foreign contexts, on the caller's thread up to its first incomplete await, so that calls
    /// keep their order. Exceptions are stored in the task.
    /// </summary>
    public Task<T> EnterAsync<T>(Func<Task<T>> call) => IsOpen ? StartAsync(call) : Outside(() => StartAsync(call));

    private static async Task StartAsync(Func<Task> call) => await call();

    private static async Task<T> StartAsync<T>(Func<Task<T>> call) => await call();

    private static TTask Outside<TTask>(Func<TTask> start)
        where TTask : Task
    {
        var foreign = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            if (TaskScheduler.Current == TaskScheduler.Default)
            {
                return start();
            }

            // Only a task that runs synchronously on the default scheduler leaves another scheduler without moving the
            // call to another thread.
            TTask? started = null;
            new Task(() => started = start()).RunSynchronously(TaskScheduler.Default);
            return started!;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(foreign);
        }
    }
}
