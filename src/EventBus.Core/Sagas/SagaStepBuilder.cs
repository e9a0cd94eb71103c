namespace EventBus;

/// <summary>Configures a step of a saga.</summary>
/// <typeparam name="TState">The type of the saga's state.</typeparam>
public sealed class SagaStepBuilder<TState>
    where TState : notnull
{
    internal SagaStepBuilder(
        string name,
        Func<SagaContext<TState>, CancellationToken, Task> execute,
        Func<SagaContext<TState>, CancellationToken, Task>? compensate,
        bool isPivot)
    {
        Execute = execute;
        Compensate = compensate;
        Registration = new SagaStepRegistration(name, compensate is not null, isPivot);
    }

    internal SagaStepRegistration Registration { get; }

    internal Func<SagaContext<TState>, CancellationToken, Task> Execute { get; }

    internal Func<SagaContext<TState>, CancellationToken, Task>? Compensate { get; }

    internal Func<object, SagaContext<TState>, CancellationToken, Task>? OnReply { get; private set; }

    internal Func<TState, string?>? WaitKey { get; private set; }

    /// <summary>
    /// Sets the retries of the step after a failure. Default: the retries of the bus, 3 after 5 s, 25 s and about 2
    /// min.
    /// </summary>
    /// <param name="maxRetryAttempts">The number of retries after the first attempt, 0 to 100.</param>
    /// <param name="delay">
    /// The delay before the first retry, 0 to 1 day. Each later delay is longer by the factor of the bus
    /// (<see cref="RetryOptions.BackoffFactor"/>). Default: the delay of the bus.
    /// </param>
    public SagaStepBuilder<TState> Retry(int maxRetryAttempts, TimeSpan? delay = null)
    {
        Registration.Retry = new RetryOptions { MaxRetryAttempts = maxRetryAttempts, Delay = delay };
        return this;
    }

    /// <summary>
    /// Sets the delays before the retries of the step after a failure. There are as many retries as delays. The jitter
    /// of the bus applies to each delay.
    /// </summary>
    /// <param name="delays">The delays before the retries: 1 to 100, each 0 to 7 days.</param>
    public SagaStepBuilder<TState> Retry(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        Registration.Retry = new RetryOptions { Delays = [.. delays] };
        return this;
    }

    /// <summary>Sets the retries of the step after a failure. Values that are not set are taken from the bus.</summary>
    /// <param name="configure">Changes the options.</param>
    public SagaStepBuilder<TState> Retry(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(Registration.Retry);
        return this;
    }

    /// <summary>
    /// Sets the retries of the compensation after a failure. Default: the retries of the bus, 3 after 5 s, 25 s and
    /// about 2 min.
    /// </summary>
    /// <param name="maxRetryAttempts">The number of retries after the first attempt, 0 to 100.</param>
    /// <param name="delay">
    /// The delay before the first retry, 0 to 1 day. Each later delay is longer by the factor of the bus
    /// (<see cref="RetryOptions.BackoffFactor"/>). Default: the delay of the bus.
    /// </param>
    public SagaStepBuilder<TState> RetryCompensation(int maxRetryAttempts, TimeSpan? delay = null)
    {
        Registration.RetryCompensation = new RetryOptions { MaxRetryAttempts = maxRetryAttempts, Delay = delay };
        return this;
    }

    /// <summary>
    /// Sets the delays before the retries of the compensation after a failure. There are as many retries as delays. The
    /// jitter of the bus applies to each delay.
    /// </summary>
    /// <param name="delays">The delays before the retries: 1 to 100, each 0 to 7 days.</param>
    public SagaStepBuilder<TState> RetryCompensation(params TimeSpan[] delays)
    {
        ArgumentNullException.ThrowIfNull(delays);
        Registration.RetryCompensation = new RetryOptions { Delays = [.. delays] };
        return this;
    }

    /// <summary>
    /// Sets the retries of the compensation after a failure. Values that are not set are taken from the bus.
    /// </summary>
    /// <param name="configure">Changes the options.</param>
    public SagaStepBuilder<TState> RetryCompensation(Action<RetryOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        configure(Registration.RetryCompensation ??= new RetryOptions());
        return this;
    }

    /// <summary>
    /// Sets the timeout of one attempt of the step, or of its compensation. At the timeout the attempt's token is
    /// cancelled. The attempt counts as failed, and it is unknown whether it had an effect.
    /// </summary>
    /// <param name="timeout">10 ms to 1 day. Default <see cref="SagaOptions.StepTimeout"/>.</param>
    public SagaStepBuilder<TState> Timeout(TimeSpan timeout)
    {
        Registration.Timeout = timeout;
        return this;
    }

    /// <summary>
    /// Declares that this exception means a rejection without any effect, which a retry cannot change. The step is
    /// neither retried nor compensated; the steps before it are compensated.
    /// </summary>
    /// <remarks>
    /// If an earlier attempt timed out or failed in another way, that attempt may have had an effect. The step is then
    /// not retried either, but it is in doubt and is compensated too. If the step is a pivot, the saga needs attention.
    /// </remarks>
    /// <typeparam name="TException">The exception type; types derived from it count too.</typeparam>
    public SagaStepBuilder<TState> RejectedBy<TException>()
        where TException : Exception
    {
        Registration.RejectionPredicates.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>
    /// Declares that this exception is permanent: the step is not retried. It may have had an effect and is compensated
    /// too. Compensations are retried after any exception.
    /// </summary>
    /// <typeparam name="TException">The exception type; types derived from it count too.</typeparam>
    public SagaStepBuilder<TState> DeadLetterOn<TException>()
        where TException : Exception
    {
        Registration.PermanentPredicates.Add(static exception => exception is TException);
        return this;
    }

    /// <summary>
    /// Declares that some exceptions of this type are permanent: the step is not retried after them. It may have had an
    /// effect and is compensated too. Compensations are retried after any exception.
    /// </summary>
    /// <param name="predicate">
    /// Returns true for the exceptions that are permanent. Called concurrently, and possibly more than once for an
    /// exception. If it throws, that is logged, and the exception is not permanent.
    /// </param>
    /// <typeparam name="TException">The exception type. Derived types are included.</typeparam>
    public SagaStepBuilder<TState> DeadLetterOn<TException>(Func<TException, bool> predicate)
        where TException : Exception
    {
        ArgumentNullException.ThrowIfNull(predicate);
        Registration.PermanentPredicates.Add(exception => exception is TException typed && predicate(typed));
        return this;
    }

    /// <summary>
    /// Makes the step wait for a reply event to an event that it has published. The step counts as executed only after
    /// the reply. The wait occupies no thread, lease or instance.
    /// </summary>
    /// <remarks>
    /// A reply belongs to the saga whose id is the reply's correlation id or key. An event that a handler publishes
    /// through its context keeps the correlation id. A reply that arrives before the step has ended is kept. A reply
    /// that the saga does not wait for, or no longer waits for, is logged and counted, and has no other effect.
    /// </remarks>
    /// <param name="within">
    /// The maximum wait, 10 ms to 365 days. If no reply arrives in this time, the step has failed and is in doubt.
    /// </param>
    /// <param name="onReply">
    /// Processes the reply and may change the state. If it throws, it is retried with the same reply, as often as the
    /// step; after the last retry the step has failed. Default: the reply is not processed.
    /// </param>
    /// <param name="key">
    /// Returns the key of the expected reply event, if it is not the saga's id. Called with the state before the step
    /// runs. If it returns null, and by default, the saga's id is used.
    /// </param>
    /// <typeparam name="TReply">The type of the reply event.</typeparam>
    public SagaStepBuilder<TState> WaitFor<TReply>(
        TimeSpan within,
        Func<TReply, SagaContext<TState>, CancellationToken, Task>? onReply = null,
        Func<TState, string?>? key = null)
        where TReply : notnull
    {
        Registration.ReplyType = typeof(TReply);
        Registration.ReplyTimeout = within;
        Registration.HasWaitKey = key is not null;
        WaitKey = key;
        OnReply = onReply is null ? null : (reply, context, cancellationToken) => onReply((TReply)reply, context, cancellationToken);
        return this;
    }
}
