namespace EventBus.Load;

/// <summary>Where a private broker keeps its files. Gone when it is disposed.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("eventbus-load-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
