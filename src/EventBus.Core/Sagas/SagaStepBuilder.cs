namespace EventBus;

/// <summary>What differs from the defaults in one step of a saga.</summary>
/// <typeparam name="TState">The type of the saga's state.</typeparam>
public sealed class SagaStepBuilder<TState>
    where TState : notnull
{
    internal SagaStepBuilder(string name, Func<SagaContext<TState>, CancellationToken, Task> execute, Func<SagaContext<TState>, CancellationToken, Task>? compensate, bool isPivot)
    {
        (Execute, Compensate) = (execute, compensate);
        Model = new SagaStepRegistration(name, compensate is not null, isPivot);
    }

    internal SagaStepRegistration Model { get; }

    internal Func<SagaContext<TState>, CancellationToken, Task> Execute { get; }

    internal Func<SagaContext<TState>, CancellationToken, Task>? Compensate { get; }

    internal Func<object, SagaContext<TState>, CancellationToken, Task>? OnReply { get; private set; }

    internal Func<TState, string?>? WaitKey { get; private set; }

    /// <summary>Sets how often and when the step is started again after a failure. Default: as for the bus, 3 retries after 5 s, 30 s and 2 min.</summary>
    /// <param name="count">Retries after the first start, 0 to 100.</param>
    /// <param name="firstDelay">The wait before the first retry, then 6 and 24 times as long, 0 to 1 day. Default: that of the bus.</param>
    public SagaStepBuilder<TState> Retry(int count, TimeSpan? firstDelay = null)
    {
        Model.Execution = new SagaRetry(count, firstDelay, null);
        return this;
    }

    /// <summary>Sets when the step is started again after a failure: as many retries as there are waits, each spread by the jitter of the bus.</summary>
    /// <param name="delays">The waits before the retries, 1 to 100 of them, 0 to 7 days each.</param>
    public SagaStepBuilder<TState> Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        Model.Execution = new SagaRetry(delays.Length, null, [.. delays]);
        return this;
    }

    /// <summary>Sets how often and when the compensation is started again after a failure. Default: as for the bus, 3 retries after 5 s, 30 s and 2 min.</summary>
    /// <param name="count">Retries after the first start, 0 to 100.</param>
    /// <param name="firstDelay">The wait before the first retry, then 6 and 24 times as long, 0 to 1 day. Default: that of the bus.</param>
    public SagaStepBuilder<TState> RetryCompensation(int count, TimeSpan? firstDelay = null)
    {
        Model.Compensation = new SagaRetry(count, firstDelay, null);
        return this;
    }

    /// <summary>Sets when the compensation is started again after a failure: as many retries as there are waits, each spread by the jitter of the bus.</summary>
    /// <param name="delays">The waits before the retries, 1 to 100 of them, 0 to 7 days each.</param>
    public SagaStepBuilder<TState> RetryCompensation(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        Model.Compensation = new SagaRetry(delays.Length, null, [.. delays]);
        return this;
    }

    /// <summary>Lets one run of the step, or of its compensation, take this long: then its token is cancelled, and it counts as failed, in doubt.</summary>
    /// <param name="timeout">10 ms to 1 day. Default <see cref="SagaOptions.StepTimeout"/>.</param>
    public SagaStepBuilder<TState> Timeout(TimeSpan timeout)
    {
        Model.Timeout = timeout;
        return this;
    }

    /// <summary>Says that this exception means: refused, without any effect, and asking again will not help. The step is not retried and not compensated itself; what came before it is.</summary>
    /// <remarks>It holds for the first start only: after one that timed out or failed otherwise, and so may have had its effect, the step is not retried either, but in doubt, and compensated too; a pivot needs attention then.</remarks>
    /// <typeparam name="TException">The exception type; types derived from it count too.</typeparam>
    public SagaStepBuilder<TState> RejectedBy<TException>()
        where TException : Exception
    {
        Model.IsRejection.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>Says that a retry of the step will not help after this exception. It may have had an effect, and is compensated too. Compensations are retried after any exception.</summary>
    /// <typeparam name="TException">The exception type; types derived from it count too.</typeparam>
    public SagaStepBuilder<TState> DeadLetterOn<TException>()
        where TException : Exception
    {
        Model.IsPermanent.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>Lets the step wait for an event that answers what it has published, and be executed only then. Waiting holds no thread, no lease and no instance.</summary>
    /// <remarks>
    /// A reply is recognised by its correlation id, which is the saga's id when a handler answers through its context, or by its key. One that comes before the step has even ended is kept. One that comes when the saga does not wait for it (any
    /// more) is logged and counted, and changes nothing.
    /// </remarks>
    /// <param name="within">How long to wait, 10 ms to 365 days. When it is over, the step has failed, in doubt.</param>
    /// <param name="onReply">Looks at the reply and may change the state. If it throws, it is started again with the same reply, as often as the step is retried; then the step has failed. Default: nothing.</param>
    /// <param name="key">Instead of the saga's id: the key of the reply event, made of the state as it is before the step runs; null for the saga's id. Default: the saga's id.</param>
    /// <typeparam name="TReply">The type of the reply event.</typeparam>
    public SagaStepBuilder<TState> WaitFor<TReply>(TimeSpan within, Func<TReply, SagaContext<TState>, CancellationToken, Task>? onReply = null, Func<TState, string?>? key = null)
        where TReply : notnull
    {
        (Model.ReplyType, Model.ReplyTimeout, WaitKey) = (typeof(TReply), within, key);
        OnReply = onReply is null ? null : (reply, context, cancellationToken) => onReply((TReply)reply, context, cancellationToken);
        Model.HasWaitKey = key is not null;
        return this;
    }
}
