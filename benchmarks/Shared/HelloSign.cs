using Microsoft.Win32.SafeHandles;

namespace EventBus.Hello;

/// <summary>Says on the standard output that the first event was handled, and how much memory the process has had resident at most. Without the console's own start, which would be most of the time that is measured.</summary>
internal static class HelloSign
{
    public const string Word = "handled";

    public static void Give()
    {
        using var output = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        output.Write("handled\n"u8);

        // VmHWM, see proc(5): all that came before the sign, and the reading of this file.
        var peak = File.ReadLines("/proc/self/status").First(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        output.Write(System.Text.Encoding.ASCII.GetBytes(peak + "\n"));
    }
}
