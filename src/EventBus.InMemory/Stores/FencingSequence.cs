namespace EventBus;

/// <summary>
/// Generates the fencing tokens of a store. All keys share one sequence, so that a key that is claimed again after a
/// release gets a higher token. Not thread-safe.
/// </summary>
internal sealed class FencingSequence
{
    private long last;

    public long Next()
    {
        last++;
        return last;
    }
}
