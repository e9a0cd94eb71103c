using System.Text.Json;

namespace EventBus;

/// <summary>Work in several steps that is done whole or undone in reverse: derive from it, say in <see cref="Define"/> which steps there are, and register it with <c>bus.AddSaga&lt;TSaga, TState&gt;()</c>.</summary>
/// <remarks>
/// <para>The bus keeps in the store that a step begins before it runs, and how it ended afterwards. When the process ends in between, an instance goes on at that very place: a step may so run again, and a compensation may run for a step
/// that never did. Give <see cref="SagaContext{TState}.IdempotencyKey"/> to whatever you call.</para>
/// <para>An instance is made from a scope of its own for each run of a step, with injected services, so that its fields hold nothing from one step to the next: what must be remembered belongs into the state.</para>
/// </remarks>
/// <typeparam name="TState">What the saga remembers, written as JSON. A record or a class; a type of its own for each saga.</typeparam>
public abstract class Saga<TState>
    where TState : notnull
{
    /// <summary>The version of the state's shape, 1 or more. Raise it when stored states can no longer be read as they are, and carry them forward in <see cref="Upgrade"/>. Default 1.</summary>
    protected internal virtual int StateVersion => 1;

    /// <summary>Says which steps there are, in their order. Called at the start, to check it, and before each step; it must always say the same.</summary>
    /// <param name="saga">Takes the steps.</param>
    protected internal abstract void Define(SagaBuilder<TState> saga);

    /// <summary>Makes the state of what an older version of the application wrote.</summary>
    /// <remarks>If it throws, the saga needs attention; with a mended application, retry it. A state of a newer version is left to newer instances.</remarks>
    /// <param name="version">The version in which it was written, lower than <see cref="StateVersion"/>.</param>
    /// <param name="state">The state as it was written.</param>
    protected internal virtual TState Upgrade(int version, JsonElement state) =>
        throw new EventBusException($"The state of {GetType()} was written in version {version}, and is in version {StateVersion} now. Override {nameof(Upgrade)} to carry it forward, then retry the saga.");
}
