namespace EventBus.Proof;

/// <summary>Creates and parses the ids of the proofs' events, which end with the number of the event.</summary>
internal static class Numbers
{
    public static string ToId(long number) => $"e-{number}";

    public static long Of(string id) => long.Parse(id.AsSpan(id.LastIndexOf('-') + 1));
}
