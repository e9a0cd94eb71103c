namespace EventBus;

/// <summary>A step that waits for its turn at the database, and somebody who waits for its result.</summary>
internal abstract class SqlOperation
{
    private int state;

    private enum Stage
    {
        Waiting,
        Started,
        Cancelled,
    }

    /// <summary>Says that the step runs now. False when its caller has given up: then it must not run.</summary>
    public bool TryStart() => TryLeave(Stage.Started) || state == (int)Stage.Started;

    /// <summary>Does the step, and keeps the result until it is known to last.</summary>
    public abstract ValueTask RunAsync(SqlSession session);

    /// <summary>Hands out the result.</summary>
    public abstract void Complete();

    public abstract void Fail(Exception exception);

    protected bool TryCancel() => TryLeave(Stage.Cancelled);

    private bool TryLeave(Stage next) => Interlocked.CompareExchange(ref state, (int)next, (int)Stage.Waiting) == (int)Stage.Waiting;
}

/// <summary>A step with a result.</summary>
internal sealed class SqlOperation<T>(Func<SqlSession, ValueTask<T>> step, CancellationToken cancellationToken) : SqlOperation
{
    private readonly TaskCompletionSource<T> completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? result;

    /// <summary>Waits for the result. The token ends the waiting only as long as the step has not begun, so that a caller who gave up knows that nothing happened.</summary>
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
