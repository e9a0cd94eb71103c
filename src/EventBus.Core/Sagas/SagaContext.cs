namespace EventBus;

/// <summary>
/// Gives a step access to the saga's state and to the data of the current attempt. Valid until the step's task
/// completes. Not thread-safe.
/// </summary>
/// <typeparam name="TState">The type of the state.</typeparam>
public sealed class SagaContext<TState>
    where TState : notnull
{
    private readonly SagaCall call;
    private readonly IServiceProvider? services;

    internal SagaContext(SagaCall call, TState state, IServiceProvider? services)
    {
        this.call = call;
        this.services = services;
        State = state;
    }

    /// <summary>The saga's id.</summary>
    public string SagaId => call.SagaId;

    /// <summary>
    /// The state. Changes to it, or its replacement, are saved in the same write as the success of the step, and
    /// dropped if the step fails.
    /// </summary>
    public TState State { get; set; }

    /// <summary>The step's name.</summary>
    public string Step => call.Step;

    /// <summary>True if the step is being compensated.</summary>
    public bool IsCompensation => call.Direction == SagaDirection.Compensate;

    /// <summary>The number of this attempt: 1 for the first. Attempts that ended with their process count.</summary>
    public int Attempt => call.Attempt;

    /// <summary>
    /// The idempotency key for calls of other services: <c>saga id/step/execute</c> or <c>saga id/step/compensate</c>.
    /// It is the same for every attempt and differs from the key of any other step. The processing of the step's reply
    /// has the key of the execution. On a keyed bus it begins with the key of the bus. A service that supports
    /// idempotency keys performs a repeated request only once.
    /// </summary>
    public string IdempotencyKey => $"{call.EffectPrefix}{call.SagaId}/{call.Step}/{(IsCompensation ? "compensate" : "execute")}";

    /// <summary>
    /// The idempotency key of the step's execution, also during its compensation. A compensation can pass it to a
    /// service so that the service rejects an execution request that is still in transit.
    /// </summary>
    public string ExecutionKey => $"{call.EffectPrefix}{call.SagaId}/{call.Step}/execute";

    /// <summary>
    /// The fencing token: it increases each time an instance claims the saga. A resource that stores the highest token
    /// can reject calls of an instance that has lost the saga.
    /// </summary>
    public long FencingToken => call.FencingToken;

    /// <summary>The services of this attempt: the scope that the saga instance comes from.</summary>
    /// <exception cref="InvalidOperationException">The context was created for a test, without services.</exception>
    public IServiceProvider Services =>
        services ?? throw new InvalidOperationException("This context has no services. Set TestSagaContextOptions.Services.");

    /// <summary>The events that this attempt has published so far. They are sent when the step succeeds.</summary>
    public IReadOnlyList<object> Published => call.Published;

    /// <summary>
    /// Publishes an event. It is stored in the same write as the success of the step and sent afterwards, at least once
    /// and always with the same id. If the step fails, it is not sent.
    /// </summary>
    /// <remarks>
    /// Its correlation id is the saga's id, so that a handler that replies with <c>context.PublishAsync(...)</c>
    /// replies to this saga. Its key is also the saga's id, unless the options or the declaration of the event type set
    /// one.
    /// </remarks>
    /// <param name="event">The event.</param>
    /// <param name="options">
    /// The options that differ from the defaults; null for none. The correlation id cannot be set.
    /// </param>
    /// <param name="cancellationToken">Checked before the event is accepted.</param>
    /// <exception cref="PublishException">
    /// The event was rejected: too large, too many events, or invalid options.
    /// </exception>
    /// <exception cref="InvalidOperationException">The step has ended.</exception>
    public Task PublishAsync<TEvent>(TEvent @event, PublishOptions? options, CancellationToken cancellationToken = default)
        where TEvent : notnull
    {
        ArgumentNullException.ThrowIfNull(@event);
        cancellationToken.ThrowIfCancellationRequested();
        call.Publish(@event, options);
        return Task.CompletedTask;
    }

    /// <summary>
    /// Publishes an event with the default options. It is sent after the step has succeeded, and dropped if the step
    /// fails.
    /// </summary>
    /// <param name="event">The event.</param>
    /// <param name="cancellationToken">Checked before the event is accepted.</param>
    /// <exception cref="PublishException">The event was rejected: too large, or too many events.</exception>
    /// <exception cref="InvalidOperationException">The step has ended.</exception>
    public Task PublishAsync<TEvent>(TEvent @event, CancellationToken cancellationToken = default)
        where TEvent : notnull => PublishAsync(@event, null, cancellationToken);
}
