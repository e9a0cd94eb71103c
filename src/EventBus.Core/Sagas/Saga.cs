using System.Text.Json;

namespace EventBus;

/// <summary>
/// Runs a transaction as a sequence of steps: if one fails, the steps before it are compensated in reverse order.
/// Derive from it, declare the steps in <see cref="Define"/>, and register it with <c>bus.AddSaga&lt;TSaga,
/// TState&gt;()</c>.
/// </summary>
/// <remarks>
/// <para>
/// The bus stores that a step begins before it runs, and its result afterwards. If the process ends in between, an
/// instance continues at the same step. A step may therefore run again, and a compensation may run for a step that
/// never ran. Pass <see cref="SagaContext{TState}.IdempotencyKey"/> to every service that you call.
/// </para>
/// <para>
/// Each attempt of a step gets a new instance of the saga from its own scope, with injected services. Fields do not
/// keep values from one step to the next: put what later steps need into the state.
/// </para>
/// </remarks>
/// <typeparam name="TState">
/// The type of the saga's state, serialized as JSON. A record or a class, used by this saga only.
/// </typeparam>
public abstract class Saga<TState>
    where TState : notnull
{
    /// <summary>
    /// The version of the state's format, 1 or more. Increase it when stored states can no longer be read as they are,
    /// and convert them in <see cref="Upgrade"/>. Default 1.
    /// </summary>
    protected internal virtual int StateVersion => 1;

    /// <summary>
    /// Declares the steps in their order. Called at startup, for validation, and before each step. Every call must
    /// declare the same steps.
    /// </summary>
    /// <param name="saga">Receives the steps.</param>
    protected internal abstract void Define(SagaBuilder<TState> saga);

    /// <summary>Converts a state that an older version of the application stored.</summary>
    /// <remarks>
    /// If this method throws, the saga needs attention; retry it after the application is fixed. If the stored state
    /// has a higher version than <see cref="StateVersion"/>, this instance does not process the saga; an instance of a
    /// newer version of the application does.
    /// </remarks>
    /// <param name="version">The version of the stored state, lower than <see cref="StateVersion"/>.</param>
    /// <param name="state">The stored state.</param>
    protected internal virtual TState Upgrade(int version, JsonElement state) =>
        throw new EventBusException(
            $"The stored state of {GetType()} has version {version}, and this application uses version {StateVersion}. "
                + $"Override {nameof(Upgrade)} to convert the state, then retry the saga.");
}
