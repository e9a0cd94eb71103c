namespace EventBus.Proof;

/// <summary>The ids of the proofs' events: they end with the event's number.</summary>
internal static class Numbers
{
    public static string ToId(long number) => $"e-{number}";

    public static long Of(string id) => long.Parse(id.AsSpan(id.LastIndexOf('-') + 1));
}
