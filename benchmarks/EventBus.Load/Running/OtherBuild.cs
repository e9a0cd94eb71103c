namespace EventBus.Load;

/// <summary>Another build of this program, whose bus is compared with the bus of this build.</summary>
/// <param name="Path">The file <c>EventBus.Load.dll</c> of that build.</param>
/// <param name="Address">
/// The address of its server; empty in memory. Both builds use the same names for queues and streams, so each needs a
/// server.
/// </param>
internal sealed record OtherBuild(string Path, string Address = "");
