namespace EventBus.Load;

/// <summary>What starting a program costs.</summary>
internal static class Hello
{
    public const string Bus = "bus";
    public const string Bare = "bare";

    public static Task<List<StartSeries>> RunAsync(bool isShort, bool peers) => Task.FromResult(new List<StartSeries>());
}

internal static class HelloPeers
{
    public static bool Knows(string name) => false;

    public static Task<int> RunAsync(string name) => Task.FromResult(0);
}
