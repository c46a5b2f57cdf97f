import { Board } from "./board.jsx";

export default function Page() {
  return <Board projectId="shop" />;
}
