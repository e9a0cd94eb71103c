namespace EventBus.Load;

/// <summary>A temporary folder for the files of a private broker. Deleted on disposal.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("eventbus-load-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
