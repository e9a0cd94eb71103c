using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Represents a queued step: one read or write of a store, whose caller waits for the result. Writes run in one
/// transaction with others.
/// </summary>
internal abstract class SqlOperation
{
    // The value of a Stage.
    private int stage;

    private enum Stage
    {
        Waiting,
        Started,
        Cancelled,
    }

    /// <summary>
    /// Marks the step as started. Returns false if the caller has cancelled it; then it must not run. Also returns true
    /// for a step that was started before, and runs again because its transaction was rolled back.
    /// </summary>
    public bool TryStart() => TryLeaveQueue(Stage.Started) || stage == (int)Stage.Started;

    /// <summary>Runs the step, and holds its result until the result is known to be durable.</summary>
    public abstract ValueTask RunAsync(SqlSession session);

    /// <summary>Delivers the result to the caller.</summary>
    public abstract void Complete();

    public abstract void Fail(Exception exception);

    /// <summary>
    /// Fails the step because other steps have ended its transaction. Nothing of it was written, and the bus tries it
    /// again.
    /// </summary>
    /// <param name="cause">The error of the other step.</param>
    public void FailUndone(Exception cause) =>
        Fail(cause is StoreRefusedException { Scope: StoreScope.Store } refused
            ? refused
            : new StoreRefusedException(
                StoreScope.Store,
                "Other writes ended two transactions in a row, and this write with them. It changed nothing, and is repeated.",
                cause));

    protected bool TryCancel() => TryLeaveQueue(Stage.Cancelled);

    private bool TryLeaveQueue(Stage next) => Interlocked.CompareExchange(ref stage, (int)next, (int)Stage.Waiting) == (int)Stage.Waiting;
}

/// <summary>A step with a result.</summary>
internal sealed class SqlOperation<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken) : SqlOperation
{
    private readonly TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? result;

    /// <summary>
    /// Waits for the result. The token cancels the wait only while the step has not started, so a cancelled caller
    /// knows that nothing was done.
    /// </summary>
    public async ValueTask<T> WaitAsync()
    {
        using var registration = cancellationToken.UnsafeRegister(static (self, token) => ((SqlOperation<T>)self!).Cancel(token), this);
        return await completion.Task;
    }

    public override async ValueTask RunAsync(SqlSession session) => result = await step(session);

    public override void Complete() => completion.TrySetResult(result!);

    public override void Fail(Exception exception)
    {
        if (exception is OperationCanceledException && cancellationToken.IsCancellationRequested)
        {
            completion.TrySetCanceled(cancellationToken);
        }
        else
        {
            completion.TrySetException(exception);
        }
    }

    private void Cancel(CancellationToken token)
    {
        if (TryCancel())
        {
            completion.TrySetCanceled(token);
        }
    }
}
