namespace EventBus;

/// <summary>
/// Where callers enter the bus: a foreign synchronization context or task scheduler is left here, once, which makes
/// ConfigureAwait unnecessary everywhere else.
/// </summary>
/// <remarks>
/// A desktop context, or a test runner's, runs every continuation on one thread. A caller that blocks that thread would
/// wait forever for a bus that needs it to go on.
/// </remarks>
internal sealed class CallerContext
{
    /// <summary>
    /// A context that continuations keep to, for a program that is run step by step. Null in production.
    /// </summary>
    public SynchronizationContext? Home { get; init; }

    /// <summary>The caller has nothing to leave: an await goes on in <see cref="Home"/> or on the pool.</summary>
    public bool IsOpen => SynchronizationContext.Current is { } current ? current == Home : TaskScheduler.Current == TaskScheduler.Default;

    /// <summary>
    /// Makes a call outside of foreign contexts, on the caller's thread up to its first wait, so that calls keep their
    /// order. What it throws is in the task.
    /// </summary>
    public Task EnterAsync(Func<Task> call) => IsOpen ? StartAsync(call) : Outside(() => StartAsync(call));

    /// <summary>
    /// Makes a call outside of foreign contexts, on the caller's thread up to its first wait, so that calls keep their
    /// order. What it throws is in the task.
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

            // A task of the default scheduler that runs here and now: the only way out of another scheduler that does
            // not hand the call to another thread.
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
