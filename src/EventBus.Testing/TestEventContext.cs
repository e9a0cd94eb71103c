namespace EventBus;

/// <summary>Creates contexts for tests of handlers.</summary>
public static class TestEventContext
{
    /// <summary>
    /// Creates a context to test a handler in isolation. Events that the handler publishes through it are collected in
    /// <see cref="EventContext.Published"/> and not sent; effects are collected in
    /// <see cref="EventContext.CommitEffects"/> and not run.
    /// </summary>
    /// <param name="options">The values that differ from the defaults; null for none.</param>
    /// <exception cref="ArgumentOutOfRangeException">The attempt is less than 1.</exception>
    public static EventContext Create(TestEventContextOptions? options = null)
    {
        options ??= new TestEventContextOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Attempt, 1, nameof(options));
        return new CollectingEventContext(options);
    }
}
